//! How large pictures are that have others in them: real files, changed where they say it, through HTTP.

use serde_json::json;

use crate::{pretenders::sample, world::World};

/// More than any profile takes, in four bytes.
const HUGE: u32 = 60_000;

/// Writes a number over the nth place where these bytes stand, so far behind them.
fn patched(
    mut bytes: Vec<u8>,
    (mark, nth): (&[u8], usize),
    behind: usize,
    number: &[u8],
) -> Vec<u8> {
    let places = bytes.windows(mark.len()).enumerate();
    let mut found = places.filter(|(_, here)| *here == mark).map(|(at, _)| at);
    let at = found.nth(nth).unwrap() + behind;
    bytes[at..at + number.len()].copy_from_slice(number);
    bytes
}

/// An icon of one picture, so far into the file.
fn icon(picture: &[u8], at: usize) -> Vec<u8> {
    let [length, offset] = [picture.len(), at].map(|n| u32::try_from(n).unwrap().to_le_bytes());
    let mut bytes = [
        &[0, 0, 1, 0, 1, 0, 16, 12, 0, 0, 1, 0, 32, 0],
        &length[..],
        &offset,
    ]
    .concat();
    bytes.resize(at, 0);
    [bytes.as_slice(), picture].concat()
}

impl World {
    async fn check(&self, media: &str, bytes: &[u8], (width, height): (u32, u32)) {
        let answer = self.upload(media, bytes).await;
        let file = &answer.json["file"];
        assert_eq!(
            (&file["width"], &file["height"]),
            (&json!(width), &json!(height)),
            "{answer:?}"
        );
    }

    async fn refused(&self, media: &str, bytes: &[u8], says: &str) {
        let answer = self.upload(media, bytes).await;
        assert_eq!(
            answer.text("/error/details/reason"),
            "dimensions_not_allowed"
        );
        assert_eq!(answer.text("/error/message"), says);
    }
}

/// Its profile takes no side of more than a thousand pixels.
async fn limited() -> World {
    let mut world = World::new().await;
    world.profile("raw", |raw| {
        raw.checks.max_width = Some(1000);
        raw.checks.max_height = Some(1000);
    });
    world
}

const UNTOLD: &str = "the image does not say how large it is";

#[tokio::test]
async fn an_icon_is_as_large_as_the_pictures_in_it() {
    let world = limited().await;
    let png = sample("picture.png");
    let huge = patched(png.clone(), (b"IHDR", 0), 4, &HUGE.to_be_bytes());
    let bmp = sample("picture.bmp")[14..].to_vec();
    let says = "the image has 60000 by 12 pixels, which this profile does not take";
    for at in [22, 300 << 10] {
        world.check("image/x-icon", &icon(&png, at), (16, 12)).await;
        world.refused("image/x-icon", &icon(&huge, at), says).await;
    }
    world.check("image/x-icon", &icon(&bmp, 22), (16, 12)).await;
    let huge = patched(bmp, (&[40, 0, 0, 0], 0), 4, &HUGE.to_le_bytes());
    let huge = patched(huge, (&[40, 0, 0, 0], 0), 8, &HUGE.to_le_bytes());
    let says = "the image has 60000 by 30000 pixels, which this profile does not take";
    world.refused("image/x-icon", &icon(&huge, 22), says).await;
    world
        .refused(
            "image/x-icon",
            &icon(b"no picture at all, but long enough", 22),
            UNTOLD,
        )
        .await;
    world
        .refused("image/x-icon", &icon(&png, 22)[..30], UNTOLD)
        .await;
    world.end().await;
}

/// By libavif and libheif: tiles, and a picture put together of them, which says in data of its own how large it becomes.
#[tokio::test]
async fn a_picture_of_tiles_is_as_large_as_what_becomes_of_them() {
    let world = limited().await;
    let (avif, heic) = (sample("grid.avif"), sample("tiled.heic"));
    world.check("image/avif", &avif, (128, 64)).await;
    world.check("image/heic", &heic, (128, 64)).await;
    let says = "the image has 60000 by 16448 pixels, which this profile does not take";
    // In the file's data, and in that of its header.
    let sides = [
        HUGE.to_be_bytes()[2..].to_vec(),
        0x4040_u16.to_be_bytes().to_vec(),
    ]
    .concat();
    let grid = patched(avif.clone(), (b"mdat", 0), 8, &sides);
    world.refused("image/avif", &grid, says).await;
    let overlay = patched(heic.clone(), (b"idat", 0), 8, &sides);
    world.refused("image/heic", &overlay, says).await;
    for nth in [0, 1] {
        let says = "the image has 60000 by 64 pixels, which this profile does not take";
        let tile = patched(avif.clone(), (b"ispe", nth), 8, &HUGE.to_be_bytes());
        world.refused("image/avif", &tile, says).await;
    }
    let thumbnail = patched(heic, (b"ispe", 2), 12, &HUGE.to_be_bytes());
    let says = "the image has 128 by 60000 pixels, which this profile does not take";
    world.refused("image/heic", &thumbnail, says).await;
    world.end().await;
}

#[tokio::test]
async fn a_picture_whose_tiles_cannot_be_found_is_refused() {
    let world = limited().await;
    let avif = sample("grid.avif");
    // The grid's own data lies beyond the file, in another file, in two pieces.
    for (behind, number) in [(16, vec![0x7f; 4]), (12, vec![0, 1]), (14, vec![0, 2])] {
        let lost = patched(avif.clone(), (b"iloc", 0), behind + 2, &number);
        world.refused("image/avif", &lost, UNTOLD).await;
    }
    let cut = patched(avif, (b"ipco", 0), 4, &[0, 0, 0, 3]);
    world.refused("image/avif", &cut, UNTOLD).await;
    world.end().await;
}

#[tokio::test]
async fn a_picture_is_measured_wherever_in_the_file_its_header_stands() {
    let world = limited().await;
    let avif = sample("grid.avif");
    let (start, rest) = avif.split_at(0x20);
    let gap = 700_u32 << 10;
    let free = [
        &(gap + 8).to_be_bytes()[..],
        b"free",
        &vec![0; gap.try_into().unwrap()],
    ]
    .concat();
    let moved = patched(
        rest.to_vec(),
        (b"iloc", 0),
        16 + 2,
        &(0x1a7 + gap + 8).to_be_bytes(),
    );
    let far = [start, &free, &moved].concat();
    world
        .check("image/avif", &[far.as_slice(), &free].concat(), (128, 64))
        .await;
    let huge = patched(far, (b"mdat", 0), 8, &[0xff; 4]);
    let says = "the image has 65535 by 65535 pixels, which this profile does not take";
    world
        .refused("image/avif", &[huge.as_slice(), &free].concat(), says)
        .await;
    world.end().await;
}
