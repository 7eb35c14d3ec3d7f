//! ZIP archives, and the many formats that are one: told apart by their entries' names (APPNOTE.TXT 6.3.10, 4.3).

use super::Window;

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8; 4] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END_LENGTH: usize = 22;
const LOCATOR_LENGTH: usize = 20;
/// Enough to tell; a hostile archive has a million.
const MOST_NAMES: usize = 4096;

pub(super) const ZIP: &str = "application/zip";
const WORD: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const EXCEL: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const POWERPOINT: &str =
    "application/vnd.openxmlformats-officedocument.presentationml.presentation";
const WORD_MACROS: &str = "application/vnd.ms-word.document.macroenabled.12";
const EXCEL_MACROS: &str = "application/vnd.ms-excel.sheet.macroenabled.12";
const POWERPOINT_MACROS: &str = "application/vnd.ms-powerpoint.presentation.macroenabled.12";
const JAR: &str = "application/java-archive";
const APK: &str = "application/vnd.android.package-archive";

/// Formats whose first entry, `mimetype`, says what they are (`OpenDocument` 1.3, part 2, 3.3; EPUB 3.3, OCF 4.3).
const SAID: &[&str] = &[
    "application/epub+zip",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.oasis.opendocument.text-template",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.oasis.opendocument.spreadsheet-template",
    "application/vnd.oasis.opendocument.presentation",
    "application/vnd.oasis.opendocument.presentation-template",
    "application/vnd.oasis.opendocument.graphics",
    "application/vnd.oasis.opendocument.formula",
    "image/openraster",
];

/// Whether it begins as a ZIP archive does.
pub(super) fn is_zip(window: Window<'_>) -> bool {
    window.first.starts_with(LOCAL) || window.first.starts_with(END)
}

/// What kind of ZIP archive it is.
pub(super) fn kind(window: Window<'_>) -> &'static str {
    if let Some(said) = said(window.first) {
        return said;
    }
    let mut names = local_names(window.first);
    names.extend(ending(window).into_iter().flat_map(|end| end.names));
    let has = |name: &[u8]| names.contains(&name);
    let below = |folder: &[u8]| names.iter().any(|name| name.starts_with(folder));
    let macros = names.iter().any(|name| name.ends_with(b"vbaProject.bin"));
    let office = has(b"[Content_Types].xml") || has(b"_rels/.rels");
    let folders: [(&[u8], _, _); 3] = [
        (b"word/", WORD, WORD_MACROS),
        (b"xl/", EXCEL, EXCEL_MACROS),
        (b"ppt/", POWERPOINT, POWERPOINT_MACROS),
    ];
    if let Some((_, plain, armed)) = folders
        .into_iter()
        .find(|(folder, ..)| office && below(folder))
    {
        return if macros { armed } else { plain };
    }
    match () {
        () if has(b"AndroidManifest.xml") => APK,
        () if has(b"META-INF/MANIFEST.MF") => JAR,
        () => ZIP,
    }
}

/// Whether content found to be of the one kind may be announced as the other: templates and slide shows are made like
/// documents, and what has no kind of its own here is a ZIP archive.
pub(super) fn may_be(found: &str, declared: &str) -> bool {
    const OFFICE: &str = "application/vnd.openxmlformats-officedocument.";
    let family = |media: &str| {
        let (family, _) = media.strip_prefix(OFFICE)?.split_once('.')?;
        Some(family.to_owned())
    };
    if family(found).is_some() {
        return family(found) == family(declared);
    }
    let unknown = declared.ends_with("+zip") && !SAID.contains(&declared);
    found == ZIP && (unknown || OTHERS.contains(&declared))
}

/// Whether archives of this type are told apart from others here.
pub(super) fn has_kind(declared: &str) -> bool {
    let by_name = [
        WORD,
        EXCEL,
        POWERPOINT,
        WORD_MACROS,
        EXCEL_MACROS,
        POWERPOINT_MACROS,
        JAR,
        APK,
    ];
    by_name.contains(&declared) || SAID.contains(&declared) || OTHERS.contains(&declared)
}

/// Other formats that are ZIP archives.
const OTHERS: &[&str] = &[
    "application/x-zip-compressed",
    "application/vnd.google-earth.kmz",
    "application/vnd.comicbook+zip",
    "application/x-cbz",
    "application/x-xpinstall",
    "model/3mf",
];

/// What a first entry `mimetype`, stored as it is, says.
fn said(bytes: &[u8]) -> Option<&'static str> {
    let entry = Entry::local(bytes)?;
    let stored = bytes.get(8..10) == Some(&[0, 0]);
    if entry.name != b"mimetype" || !stored {
        return None;
    }
    let content = bytes.get(entry.content..entry.next)?;
    SAID.iter().find(|said| said.as_bytes() == content).copied()
}

/// A local header: its name, and where content and next header are.
struct Entry<'a> {
    name: &'a [u8],
    content: usize,
    next: usize,
}

impl<'a> Entry<'a> {
    fn local(bytes: &'a [u8]) -> Option<Self> {
        if !bytes.starts_with(LOCAL) {
            return None;
        }
        let name_length = usize::from(u16_at(bytes, 26)?);
        let name = bytes.get(30..30 + name_length)?;
        let content = 30 + name_length + usize::from(u16_at(bytes, 28)?);
        let length = usize::try_from(u32_at(bytes, 18)?).ok()?;
        Some(Self {
            name,
            content,
            next: content.checked_add(length)?,
        })
    }
}

/// The names in front of the entries, as far as they were read. Where an entry's length follows its content, the next
/// header is looked for.
fn local_names(bytes: &[u8]) -> Vec<&[u8]> {
    let mut names = Vec::new();
    let mut rest = bytes;
    while let Some(entry) = Entry::local(rest).filter(|_| names.len() < MOST_NAMES) {
        names.push(entry.name);
        let after = rest.get(entry.next..).unwrap_or_default();
        rest = if after.starts_with(LOCAL) {
            after
        } else {
            let behind = rest.get(entry.content..).unwrap_or_default();
            let next = behind.windows(LOCAL.len()).position(|four| four == LOCAL);
            next.and_then(|next| behind.get(next..)).unwrap_or_default()
        };
    }
    names
}

/// An archive's end, which is where readers begin: whatever stands before it, they take the file for an archive.
pub(super) struct Ending<'a> {
    /// As far as the directory was read.
    names: Vec<&'a [u8]>,
    /// What follows it.
    pub(super) behind: &'a [u8],
}

/// The end of an archive among an object's last bytes, if there is one that readers begin with, or it cannot be told.
pub(super) fn ending(window: Window<'_>) -> Option<Ending<'_>> {
    ends(window).find_map(|end| match end.opens {
        Opens::Not => None,
        Opens::At(start) => Some(Ending {
            names: start.map(central_names).unwrap_or_default(),
            behind: end.behind,
        }),
        Opens::Unread(_) => Some(Ending {
            names: Vec::new(),
            behind: end.behind,
        }),
    })
}

/// What must be read to tell whether there is an archive behind something else, and was not.
pub(super) fn wants(window: Window<'_>) -> Option<u64> {
    if is_zip(window) {
        return None;
    }
    let mut unread = ends(window).map_while(|end| match end.opens {
        Opens::At(_) => None,
        Opens::Not => Some(None),
        Opens::Unread(at) => Some(Some(at)),
    });
    unread.find_map(|at| at)
}

/// What has the mark of an end.
struct End<'a> {
    opens: Opens<'a>,
    behind: &'a [u8],
}

/// Whether readers find a directory by it.
enum Opens<'a> {
    Not,
    /// There; or somewhere that a record beside it says.
    At(Option<&'a [u8]>),
    /// It would begin there, and that was not read.
    Unread(u64),
}

/// From the last one on, as readers go.
fn ends(window: Window<'_>) -> impl Iterator<Item = End<'_>> {
    let marks = window.last.windows(END.len()).enumerate().rev();
    let marks = marks.filter(|(_, four)| *four == END);
    marks.filter_map(move |(at, _)| {
        let (before, end) = window.last.split_at_checked(at)?;
        let (end, behind) = end.split_at_checked(END_LENGTH)?;
        // Its numbers stand elsewhere (ZIP64).
        let located = before.len().checked_sub(LOCATOR_LENGTH);
        let located = located.is_some_and(|from| before.get(from..).is_some_and(is_locator));
        let opens = if located {
            Opens::At(None)
        } else {
            opens(window, window.last_at() + at as u64, end)?
        };
        Some(End { opens, behind })
    })
}

fn is_locator(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x06\x07")
}

/// Readers overlook much: other counts and disks, a comment of another length, and what stands before the archive and
/// was not there when it was made. They go to where the record says that the directory begins (Info-ZIP, Go, libzip), or
/// as far back as the directory is long (Info-ZIP, Go, Python, Java, Android), and open what has an entry there.
fn opens<'a>(window: Window<'a>, at: u64, end: &[u8]) -> Option<Opens<'a>> {
    let (length, offset) = (u32_at(end, 12)?, u32_at(end, 16)?);
    let starts = [at.checked_sub(length.into()), Some(offset.into())];
    let mut unread = None;
    for start in starts.into_iter().flatten().filter(|start| *start < at) {
        let mut reader = window.reader();
        match reader.array(start) {
            Some(four) if four == *CENTRAL => return Some(Opens::At(window.from(start))),
            Some(_) => {}
            None => unread = unread.or(reader.missed),
        }
    }
    Some(unread.map_or(Opens::Not, Opens::Unread))
}

/// As far as they are sound.
fn central_names(directory: &[u8]) -> Vec<&[u8]> {
    let mut names = Vec::new();
    let mut rest = directory;
    while let Some((name, next)) = central(rest).filter(|_| names.len() < MOST_NAMES) {
        names.push(name);
        rest = next;
    }
    names
}

fn central(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let [name, extra, comment] = [28, 30, 32].map(|at| u16_at(bytes, at).map(usize::from));
    let (name, more) = (name?, extra? + comment?);
    let entry = bytes.starts_with(CENTRAL).then_some(bytes)?;
    Some((entry.get(46..46 + name)?, entry.get(46 + name + more..)?))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_le_bytes(*two))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*four))
}

#[cfg(test)]
pub(super) mod tests {
    use bytes::Bytes;

    use super::*;

    /// An archive with these entries, stored; checksums are left out.
    pub(in super::super) fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let (mut bytes, mut directory) = (Vec::new(), Vec::new());
        for (name, content) in entries {
            let offset = u32::try_from(bytes.len()).unwrap();
            let length = u32::try_from(content.len()).unwrap().to_le_bytes();
            let name_length = u16::try_from(name.len()).unwrap().to_le_bytes();
            // Version, flags, method, time, date, checksum.
            let common = [
                &[20, 0, 0, 0, 0, 0],
                &[0_u8; 8][..],
                &length,
                &length,
                &name_length,
            ];
            bytes.extend([LOCAL, &common.concat(), &[0; 2], name.as_bytes(), content].concat());
            directory.extend([CENTRAL, &[20, 0][..], &common.concat(), &[0; 12]].concat());
            directory.extend(offset.to_le_bytes());
            directory.extend(name.as_bytes());
        }
        let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
        let length = u32::try_from(directory.len()).unwrap().to_le_bytes();
        let offset = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        bytes.extend(directory);
        bytes.extend([END, &[0; 4], &count, &count, &length, &offset, &[0; 2]].concat());
        bytes
    }

    #[test]
    fn an_archive_is_what_its_entries_say() {
        fn check(entries: &[(&str, &[u8])], expected: &str) {
            let bytes = archive(entries);
            assert_eq!(kind(Window::whole(&bytes)), expected);
        }
        let types: (&str, &[u8]) = ("[Content_Types].xml", b"<Types/>");
        check(&[("a.txt", b"a")], ZIP);
        check(&[], ZIP);
        check(&[types, ("word/document.xml", b"")], WORD);
        check(
            &[
                ("_rels/.rels", b""),
                ("docProps/app.xml", b""),
                ("xl/workbook.xml", b""),
            ],
            EXCEL,
        );
        check(&[types, ("ppt/presentation.xml", b"")], POWERPOINT);
        check(
            &[
                types,
                ("word/document.xml", b""),
                ("word/vbaProject.bin", b""),
            ],
            WORD_MACROS,
        );
        check(&[("word/document.xml", b"")], ZIP);
        check(
            &[("mimetype", b"application/epub+zip"), ("a", b"")],
            "application/epub+zip",
        );
        let odt = "application/vnd.oasis.opendocument.text";
        check(&[("mimetype", odt.as_bytes()), ("content.xml", b"")], odt);
        check(&[("mimetype", b"text/html"), ("content.xml", b"")], ZIP);
        check(&[("META-INF/MANIFEST.MF", b""), ("A.class", b"")], JAR);
        check(
            &[("META-INF/MANIFEST.MF", b""), ("AndroidManifest.xml", b"")],
            APK,
        );
    }

    #[test]
    fn entries_are_read_at_both_ends_of_a_large_archive() {
        let long = vec![7; 400 << 10];
        let bytes = archive(&[
            ("_rels/.rels", b""),
            ("docProps/thumbnail.jpeg", &long),
            ("word/document.xml", b""),
        ]);
        let window = Window {
            size_bytes: bytes.len() as u64,
            first: &bytes[..256 << 10],
            last: &bytes[bytes.len() - (64 << 10)..],
            more: &[],
        };
        assert_eq!(kind(window), WORD);
    }

    fn opens(bytes: &[u8]) -> bool {
        ending(Window::whole(bytes)).is_some()
    }

    #[test]
    fn an_end_of_an_archive_is_no_accident() {
        let bytes = archive(&[("a", b"a")]);
        assert!(opens(&bytes));
        let more = [bytes.as_slice(), b"more"].concat();
        assert_eq!(ending(Window::whole(&more)).unwrap().behind, b"more");
        assert!(!opens(&[&[1; 100], END, &[9; 40]].concat()));
        assert!(!opens(&[&[1; 100], END, &[0; 40]].concat()));
        assert!(!opens(&bytes[..bytes.len() - 1]));
        assert!(!opens(&archive(&[])));
    }

    #[test]
    fn where_a_directory_was_not_read_it_is_asked_for() {
        let bytes = archive(&[("a", b"a"), ("b", b"b")]);
        let window = Window {
            size_bytes: 1 << 30,
            first: b"GIF89a",
            last: &bytes[bytes.len() - 30..],
            more: &[],
        };
        let start = (1 << 30) - 22 - 2 * 47;
        assert_eq!(wants(window), Some(start));
        assert!(ending(window).is_some(), "it may be one");
        let piece = |bytes: &[u8]| [(start, Bytes::copy_from_slice(bytes))];
        let directory = piece(&bytes[bytes.len() - 22 - 2 * 47..]);
        let found = Window {
            more: &directory,
            ..window
        };
        assert_eq!(ending(found).unwrap().names, [b"a", b"b"]);
        assert_eq!(wants(found), None);
    }
}
