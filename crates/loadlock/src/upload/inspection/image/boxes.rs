//! HEIF and AVIF (ISO/IEC 23008-12; boxes by ISO/IEC 14496-12): one file has many pictures, tiles of larger ones among them,
//! and readers decide which to decode.

use super::{Dimensions, larger};
use crate::upload::inspection::window::Reader;

/// How many boxes one box may have in it; real files have a few hundred.
const MOST: usize = 4096;

/// The largest width and height among its pictures: those that are coded, those that are put together of them, and those
/// of a sequence.
pub(super) fn size(reader: &mut Reader<'_>) -> Option<Dimensions> {
    let mut found = Found::default();
    for part in outermost(reader)? {
        match &part.kind {
            b"meta" => found.meta(reader, &part)?,
            b"moov" => found.tracks(reader, &part)?,
            _ => {}
        }
    }
    let (width, height) = found.largest;
    let sides = if found.turned {
        (height, width)
    } else {
        (width, height)
    };
    found.properties.then_some(sides)
}

/// A box, and where its content begins and ends.
struct Part {
    kind: [u8; 4],
    start: u64,
    end: u64,
}

impl Part {
    fn read(reader: &mut Reader<'_>, at: u64, end: u64) -> Option<Self> {
        let [a, b, c, d, kind @ ..]: [u8; 8] = reader.array(at)?;
        let (header, length) = match u32::from_be_bytes([a, b, c, d]) {
            0 => (8, end - at),
            1 => (16, u64::from_be_bytes(reader.array(at + 8)?)),
            length => (8, length.into()),
        };
        let ends = at.checked_add(length)?;
        (length >= header && ends <= end).then_some(Self {
            kind,
            start: at + header,
            end: ends,
        })
    }

    /// The boxes within, behind so many bytes.
    fn parts(&self, reader: &mut Reader<'_>, behind: u64) -> Option<Vec<Self>> {
        let mut parts = Vec::new();
        let mut at = self.start + behind;
        while at < self.end {
            let part = Self::read(reader, at, self.end)?;
            at = part.end;
            parts.push(part);
            if parts.len() > MOST {
                return None;
            }
        }
        Some(parts)
    }
}

/// The boxes of the file itself. What is no box behind them does not count: no reader gets beyond it.
fn outermost(reader: &mut Reader<'_>) -> Option<Vec<Part>> {
    let end = reader.window.size_bytes;
    let (mut parts, mut at) = (Vec::new(), 0);
    while at < end && parts.len() <= MOST {
        match Part::read(reader, at, end) {
            Some(part) => {
                at = part.end;
                parts.push(part);
            }
            None if reader.missed.is_none() => break,
            None => return None,
        }
    }
    (parts.len() <= MOST).then_some(parts)
}

#[derive(Default)]
struct Found {
    largest: Dimensions,
    /// Whether there is a picture that has a size as its property.
    properties: bool,
    turned: bool,
}

impl Found {
    fn add(&mut self, sides: [u32; 2]) {
        self.largest = larger(self.largest, sides.into());
    }

    fn meta(&mut self, reader: &mut Reader<'_>, meta: &Part) -> Option<()> {
        let mut derived = Vec::new();
        let parts = meta.parts(reader, 4)?;
        for part in &parts {
            match &part.kind {
                b"iprp" => self.properties(reader, part)?,
                b"iinf" => derived.extend(derivations(reader, part)?),
                _ => {}
            }
        }
        let data = parts.iter().find(|part| part.kind == *b"idat");
        let places = parts.iter().filter(|part| part.kind == *b"iloc");
        for place in places.filter(|_| !derived.is_empty()) {
            for (item, at) in locations(reader, place, data)? {
                for (_, canvas) in derived.iter().filter(|(id, _)| *id == item) {
                    self.add(canvas.size(reader, at?)?);
                }
            }
        }
        Some(())
    }

    fn properties(&mut self, reader: &mut Reader<'_>, iprp: &Part) -> Option<()> {
        for container in iprp.parts(reader, 0)? {
            if container.kind != *b"ipco" {
                continue;
            }
            for property in container.parts(reader, 0)? {
                match &property.kind {
                    b"ispe" => {
                        self.add(sides(reader, property.start + 4, 4)?);
                        self.properties = true;
                    }
                    b"irot" => self.turned = reader.array::<1>(property.start)?[0] & 1 == 1,
                    _ => {}
                }
            }
        }
        Some(())
    }

    /// A sequence's width and height stand at the end of each track's header, in 65,536ths.
    fn tracks(&mut self, reader: &mut Reader<'_>, moov: &Part) -> Option<()> {
        for track in moov.parts(reader, 0)? {
            if track.kind != *b"trak" {
                continue;
            }
            for header in track.parts(reader, 0)? {
                if header.kind == *b"tkhd" {
                    let sides = sides(reader, header.end.checked_sub(8)?, 4)?;
                    self.add(sides.map(|side| side.div_ceil(1 << 16)));
                }
            }
        }
        Some(())
    }
}

/// A picture that is put together of others. Its own data says how large it becomes.
#[derive(Clone, Copy)]
enum Canvas {
    Grid,
    Overlay,
}

impl Canvas {
    fn size(self, reader: &mut Reader<'_>, at: u64) -> Option<[u32; 2]> {
        let [_, flags] = reader.array(at)?;
        let behind = match self {
            Self::Grid => 4,
            Self::Overlay => 10,
        };
        let bytes = if flags & 1 == 0 { 2 } else { 4 };
        sides(reader, at.checked_add(behind)?, bytes)
    }
}

/// Width and height, of so many bytes each.
fn sides(reader: &mut Reader<'_>, at: u64, bytes: u8) -> Option<[u32; 2]> {
    let mut fields = Fields { at };
    let sides = [fields.next(reader, bytes)?, fields.next(reader, bytes)?];
    let [width, height] = sides.map(|side| u32::try_from(side).ok());
    Some([width?, height?])
}

/// Numbers one behind the other.
struct Fields {
    at: u64,
}

impl Fields {
    fn next(&mut self, reader: &mut Reader<'_>, bytes: u8) -> Option<u64> {
        let mut number = 0;
        for _ in 0..bytes {
            let [byte] = reader.array(self.at)?;
            number = number << 8 | u64::from(byte);
            self.at += 1;
        }
        Some(number)
    }
}

/// The items of the file that are put together of others, by their ids.
fn derivations(reader: &mut Reader<'_>, iinf: &Part) -> Option<Vec<(u64, Canvas)>> {
    let [version] = reader.array(iinf.start)?;
    let behind = if version == 0 { 6 } else { 8 };
    let mut found = Vec::new();
    for entry in iinf.parts(reader, behind)? {
        let [version] = reader.array(entry.start)?;
        let mut fields = Fields {
            at: entry.start + 4,
        };
        let id = fields.next(reader, if version < 3 { 2 } else { 4 })?;
        let canvas = match &reader.array(fields.at + 2)? {
            b"grid" => Canvas::Grid,
            b"iovl" => Canvas::Overlay,
            _ => continue,
        };
        found.push((id, canvas));
    }
    Some(found)
}

/// Where each item's data begins; `None` for what lies in several pieces, in another file, or in another item.
fn locations(
    reader: &mut Reader<'_>,
    iloc: &Part,
    data: Option<&Part>,
) -> Option<Vec<(u64, Option<u64>)>> {
    let [version, _, _, _, sizes, more_sizes] = reader.array(iloc.start)?;
    let (wide, indexed) = (if version < 2 { 2 } else { 4 }, version > 0);
    let mut fields = Fields { at: iloc.start + 6 };
    let count = fields.next(reader, wide)?;
    let mut found = Vec::new();
    for _ in 0..count {
        let item = fields.next(reader, wide)?;
        let method = if indexed {
            fields.next(reader, 2)? & 15
        } else {
            0
        };
        let elsewhere = fields.next(reader, 2)?;
        let base = fields.next(reader, more_sizes >> 4)?;
        let extents = fields.next(reader, 2)?;
        let index = if indexed { more_sizes & 15 } else { 0 };
        let mut extent = Fields {
            at: fields.at + u64::from(index),
        };
        let offset = extent.next(reader, sizes >> 4)?;
        fields.at += extents * u64::from(index + (sizes >> 4) + (sizes & 15));
        let start = match method {
            0 => Some(0),
            1 => data.map(|data| data.start),
            _ => None,
        };
        let start = start.filter(|_| elsewhere == 0 && extents == 1);
        let at = start.and_then(|start| start.checked_add(base)?.checked_add(offset));
        found.push((item, at));
        if found.len() > MOST {
            return None;
        }
    }
    Some(found)
}
