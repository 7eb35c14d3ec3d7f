//! Files: records, display URLs, the stable address, deletion.

use crate::{
    app::App,
    auth::Caller,
    bucket::grant::DisplayUrl,
    error::{Error, Kind},
    upload::{File, UploadId},
};

/// A file with a URL that shows it.
#[derive(Debug, Clone)]
pub struct ShownFile {
    pub file: File,
    pub display: DisplayUrl,
}

/// Which files: newest first.
#[derive(Debug, Clone, Default)]
pub struct FileQuery {
    /// A server may ask for any owner's or everyone's; a user sees their own.
    pub owner: Option<String>,
    /// Where the last page ended.
    pub cursor: Option<String>,
    /// 1 to 100; 50 if not said.
    pub limit: Option<u32>,
}

/// One page of files.
#[derive(Debug, Clone)]
pub struct FilePage {
    pub files: Vec<File>,
    pub next_cursor: Option<String>,
}

/// Display URLs for those files that exist and may be seen.
#[derive(Debug, Clone)]
pub struct DisplayUrls {
    pub urls: Vec<(UploadId, DisplayUrl)>,
    pub missing: Vec<UploadId>,
}

/// A page of files.
pub async fn files(app: &App, caller: &Caller, query: FileQuery) -> Result<FilePage, Error> {
    Err(Kind::Unavailable.into())
}

/// One file.
pub async fn file(app: &App, caller: &Caller, id: UploadId) -> Result<ShownFile, Error> {
    Err(Kind::Unavailable.into())
}

/// Deletes record and object; nothing is wrong if it is gone already.
pub async fn delete_file(app: &App, caller: &Caller, id: UploadId) -> Result<(), Error> {
    Err(Kind::Unavailable.into())
}

/// Display URLs for up to 100 files.
pub async fn display_urls(
    app: &App,
    caller: &Caller,
    ids: &[UploadId],
) -> Result<DisplayUrls, Error> {
    Err(Kind::Unavailable.into())
}

/// The stable address: a fresh display URL, for whom the profile lets read. `caller` is nobody in an `<img src>`.
pub async fn open(app: &App, caller: Option<&Caller>, id: UploadId) -> Result<DisplayUrl, Error> {
    Err(Kind::Unavailable.into())
}
