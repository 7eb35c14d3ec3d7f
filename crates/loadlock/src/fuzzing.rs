//! What holds for whatever is said: tried by `script/fuzz` on inputs of its own making, and by the tests on those it starts from.

use std::path::Path;

use crate::{
    config::file,
    upload::{
        inspection,
        name::{Disposition, clean, content_disposition},
    },
};

/// A configuration.
///
/// # Panics
/// If a fault says nothing, or stands on more than its line.
pub fn config(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let Err(faults) = file::check(Path::new("loadlock.toml"), text) else {
        return;
    };
    assert!(faults.iter().count() > 0);
    for fault in faults.iter() {
        assert!(!fault.says.is_empty() && !fault.right.is_empty());
        assert!(!fault.says.contains('\n'), "{:?}", fault.says);
    }
}

/// A file's name.
///
/// # Panics
/// If it is not harmless afterwards: too long, a path, or more than one line of a header.
pub fn names(data: &[u8]) {
    let raw = String::from_utf8_lossy(data);
    let name = clean(&raw);
    assert!((1..=255).contains(&name.len()));
    assert!(!name.contains(['/', '\\']) && !name.contains(char::is_control));
    assert!(name != "." && name != "..");
    assert_eq!(clean(&name), name, "clean is clean");
    for disposition in [Disposition::Inline, Disposition::Attachment] {
        let header = content_disposition(disposition, &name);
        assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        assert!(matches!(header.matches('"').count(), 2), "{header}");
    }
}

/// A file: two bytes say how much of its beginning and its end is read, in steps of 16; the beginning tells its type at least.
///
/// # Panics
/// If what is read in pieces is said to be something else than the same as a whole.
pub fn inspection(data: &[u8]) {
    if let [first, last, content @ ..] = data {
        inspection::hold(
            usize::from(*first) * 16 + 16,
            usize::from(*last) * 16,
            content,
        );
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_the_fuzzer_starts_from_and_found_holds() {
        let targets = [
            ("config", config as fn(&[u8])),
            ("names", names),
            ("inspection", inspection),
        ];
        for (name, target) in targets {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/inputs");
            let inputs: Vec<_> = fs::read_dir(folder.join(name)).unwrap().collect();
            assert!(!inputs.is_empty(), "{name}");
            for input in inputs {
                target(&fs::read(input.unwrap().path()).unwrap());
            }
        }
    }
}
