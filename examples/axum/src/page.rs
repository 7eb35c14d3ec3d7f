//! The pages. Whatever people wrote goes through `escape`; an application of yours has templates for this.

use loadlock::{
    app::App,
    flow::{self, Grant},
    upload,
};
use serde::{Deserialize, Serialize};

/// What a form holds, and what is wrong with it.
#[derive(Default)]
pub(crate) struct Form {
    pub(crate) title: String,
    pub(crate) uploads: Vec<String>,
    pub(crate) problem: String,
}

/// A published file, as this application keeps it.
#[derive(Serialize, Deserialize)]
pub(crate) struct File {
    content_url: String,
    filename: String,
    dimensions: Option<(u32, u32)>,
}

impl File {
    pub(crate) fn new(app: &App, file: upload::File) -> Self {
        Self {
            content_url: flow::content_url(app, file.id, &file.profile, None)
                .expose()
                .to_owned(),
            filename: file.filename,
            dimensions: file.dimensions,
        }
    }
}

/// Owner, title and files.
pub(crate) type Entry = (String, String, String);

pub(crate) fn board(user: Option<&str>, form: &Form, entries: &[Entry]) -> String {
    let header = user.map_or_else(String::new, |user| {
        let user = escape(user);
        format!(r#"<form method="post" action="/sign-out">{user} <button class="quiet">Sign out</button></form>"#)
    });
    let problem = match form.problem.as_str() {
        "" => String::new(),
        problem => format!(r#"<p role="alert">{}</p>"#, escape(problem)),
    };
    let asked = if user.is_some() {
        entry_form(form)
    } else {
        SIGN_IN.to_owned()
    };
    let entries: String = entries.iter().map(entry).collect();
    page(&header, &format!("{problem}{asked}{entries}"))
}

const SIGN_IN: &str = r#"<form class="card" method="post" action="/sign-in">
  <label>Your name <input name="name" required maxlength="60" autocomplete="username"></label>
  <button>Sign in</button>
</form>"#;

fn entry_form(form: &Form) -> String {
    let title = escape(&form.title);
    let uploads: String = form.uploads.iter().map(|id| hidden("upload", id)).collect();
    let arrived = match form.uploads.len() {
        0 => String::new(),
        files => format!("<p>Files that have arrived: {files}</p>"),
    };
    format!(
        r#"<form id="entry" class="card" method="post" action="/entries">
  <label>Title <input name="title" value="{title}" required maxlength="200"></label>{uploads}
  <label class="scripted">Photos <input type="file" accept="image/*" multiple disabled></label>
  <ul></ul>{arrived}
  <noscript><button class="quiet" formaction="/file">Add a photo …</button></noscript>
  <button>Publish</button>
</form>
<script type="module" src="/static/board.js"></script>"#
    )
}

fn entry((owner, title, files): &Entry) -> String {
    let files: Vec<File> = serde_json::from_str(files).unwrap_or_default();
    let images: String = files.iter().map(image).collect();
    let (owner, title) = (escape(owner), escape(title));
    format!(r#"<article class="card"><h2>{title}</h2><p>by {owner}</p>{images}</article>"#)
}

fn image(file: &File) -> String {
    let (address, name) = (escape(&file.content_url), escape(&file.filename));
    let (width, height) = file.dimensions.unwrap_or_default();
    format!(r#"<img src="{address}" alt="{name}" width="{width}" height="{height}">"#)
}

pub(crate) fn plain_form(grant: &Grant) -> String {
    let Grant::Post { url, fields, .. } = grant else {
        return page("", "");
    };
    let fields: String = fields
        .iter()
        .map(|(name, value)| hidden(name, value.expose()))
        .collect();
    let url = escape(url);
    page(
        "",
        &format!(
            r#"<form class="card" method="post" enctype="multipart/form-data" action="{url}">{fields}
  <label>Photo <input type="file" name="file" accept="image/*" required></label>
  <button>Send</button>
</form>"#
        ),
    )
}

fn page(header: &str, main: &str) -> String {
    format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Pinboard</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/shared/page.css">
<header><h1>Pinboard</h1>{header}</header>
<main>{main}</main>
</html>"#
    )
}

fn hidden(name: &str, value: &str) -> String {
    let (name, value) = (escape(name), escape(value));
    format!(r#"<input type="hidden" name="{name}" value="{value}">"#)
}

fn escape(text: &str) -> String {
    let quoted = text
        .replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;");
    quoted.replace('<', "&lt;").replace('>', "&gt;")
}
