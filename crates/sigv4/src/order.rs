//! Sorting without allocating: the positions of a short list, in order.

use std::cmp::Ordering;

/// More signed headers or query parameters than this are refused.
pub(crate) const MOST: usize = 64;

pub(crate) struct Order {
    positions: [u8; MOST],
    length: usize,
}

impl Order {
    /// `None` if there are more than [`MOST`]. Equals keep their places.
    #[expect(clippy::cast_possible_truncation, reason = "positions are under MOST")]
    pub(crate) fn of(length: usize, compare: impl Fn(usize, usize) -> Ordering) -> Option<Self> {
        if length > MOST {
            return None;
        }
        let mut positions = [0; MOST];
        for next in 0..length {
            let mut at = next;
            while at > 0 && compare(usize::from(positions[at - 1]), next).is_gt() {
                positions[at] = positions[at - 1];
                at -= 1;
            }
            positions[at] = next as u8;
        }
        Some(Self { positions, length })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        self.positions[..self.length]
            .iter()
            .map(|&position| usize::from(position))
    }
}
