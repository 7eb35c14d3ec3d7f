//! SHA-256 and HMAC-SHA-256 over the bare compression function, so that a key's two states are computed once.

use sha2::block_api::compress256;
use zeroize::Zeroize as _;

const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// A hash in progress. `Clone` copies the state, which is how a common beginning is hashed once.
#[derive(Clone)]
pub(crate) struct Sha256 {
    state: [u32; 8],
    block: [u8; 64],
    filled: usize,
    length: u64,
}

impl Sha256 {
    pub(crate) const fn new() -> Self {
        Self::resume(INITIAL, 0)
    }

    pub(crate) fn digest(data: &[u8]) -> [u8; 32] {
        let mut hash = Self::new();
        hash.update(data);
        hash.finish()
    }

    /// A hash that has already taken `length` bytes, a multiple of 64.
    const fn resume(state: [u32; 8], length: u64) -> Self {
        Self {
            state,
            block: [0; 64],
            filled: 0,
            length,
        }
    }

    #[inline]
    pub(crate) fn update(&mut self, mut data: &[u8]) {
        self.length += data.len() as u64;
        let room = 64 - self.filled;
        if data.len() < room {
            self.block[self.filled..self.filled + data.len()].copy_from_slice(data);
            self.filled += data.len();
            return;
        }
        if self.filled > 0 {
            let (head, rest) = data.split_at(room);
            self.block[self.filled..].copy_from_slice(head);
            compress256(&mut self.state, &[self.block]);
            data = rest;
        }
        let (blocks, rest) = data.as_chunks::<64>();
        compress256(&mut self.state, blocks);
        self.block[..rest.len()].copy_from_slice(rest);
        self.filled = rest.len();
    }

    pub(crate) fn finish(mut self) -> [u8; 32] {
        let mut tail = [[0; 64]; 2];
        tail[0][..self.filled].copy_from_slice(&self.block[..self.filled]);
        tail[0][self.filled] = 0x80;
        let blocks = if self.filled < 56 { 1 } else { 2 };
        tail[blocks - 1][56..].copy_from_slice(&(self.length * 8).to_be_bytes());
        compress256(&mut self.state, &tail[..blocks]);
        to_bytes(self.state)
    }
}

fn to_bytes(state: [u32; 8]) -> [u8; 32] {
    let mut digest = [0; 32];
    for (bytes, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    digest
}

/// An HMAC key as the two states that every message starts and ends with (RFC 2104). Wiped when dropped.
#[derive(Clone)]
pub(crate) struct MacKey {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl MacKey {
    /// The key is the pieces put together, so that `AWS4` + secret needs no copy of the secret.
    pub(crate) fn new(pieces: &[&[u8]]) -> Self {
        let mut block = [0; 64];
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        if length > 64 {
            let mut hash = Sha256::new();
            for piece in pieces {
                hash.update(piece);
            }
            block[..32].copy_from_slice(&hash.finish());
        } else {
            let mut at = 0;
            for piece in pieces {
                block[at..at + piece.len()].copy_from_slice(piece);
                at += piece.len();
            }
        }
        let mut key = Self {
            inner: INITIAL,
            outer: INITIAL,
        };
        compress256(&mut key.inner, &[block.map(|byte| byte ^ 0x36)]);
        compress256(&mut key.outer, &[block.map(|byte| byte ^ 0x5c)]);
        block.zeroize();
        key
    }

    /// A message to be fed with `update` and closed with [`MacKey::finish`].
    pub(crate) const fn start(&self) -> Sha256 {
        Sha256::resume(self.inner, 64)
    }

    pub(crate) fn finish(&self, message: Sha256) -> [u8; 32] {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&message.finish());
        block[32] = 0x80;
        block[56..].copy_from_slice(&(96_u64 * 8).to_be_bytes());
        let mut state = self.outer;
        compress256(&mut state, &[block]);
        to_bytes(state)
    }

    pub(crate) fn mac(&self, message: &[u8]) -> [u8; 32] {
        let mut hash = self.start();
        hash.update(message);
        self.finish(hash)
    }
}

impl Drop for MacKey {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::hex;

    fn check(digest: [u8; 32], expected: &str) {
        assert_eq!(std::str::from_utf8(&hex(&digest)).unwrap(), expected);
    }

    #[test]
    fn hashes_agree_with_sha2_at_every_length_and_split() {
        use sha2::Digest as _;
        let data: Vec<u8> = (0..300u32)
            .map(|n| u8::try_from(n % 251).unwrap())
            .collect();
        for length in 0..data.len() {
            let mut hash = Sha256::new();
            let (head, tail) = data[..length].split_at(length / 3);
            hash.update(head);
            hash.update(tail);
            assert_eq!(
                hash.finish(),
                <[u8; 32]>::from(sha2::Sha256::digest(&data[..length]))
            );
        }
    }

    #[test]
    fn macs_agree_with_rfc_4231() {
        check(
            MacKey::new(&[b"Je", b"fe"]).mac(b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        );
        check(
            MacKey::new(&[&[0xaa; 131]])
                .mac(b"Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        );
    }
}
