//! Authorize: the application itself is asked whether these uploads may begin. It allows, refuses, or lets less through; where
//! it gives no answer that can be understood, nothing begins.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    app::App,
    auth::{Caller, Who},
    error::{Error, Kind},
    upload::{
        KeyPrefix, MediaType, Metadata, Narrowed, Profile, Upload,
        profile::{check_entries, in_words},
    },
};

/// What stands in for the application's own sentence, at most.
const MAX_SENTENCE_CHARS: usize = 300;

#[derive(Serialize)]
struct Question<'a> {
    r#type: &'static str,
    caller: Asker<'a>,
    profile: &'a str,
    #[serde(flatten)]
    asked: Asked<'a>,
}

#[derive(Serialize)]
struct Asker<'a> {
    owner: &'a str,
    claims: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<&'a str>,
    address: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Asked<'a> {
    File(FileAsked<'a>),
    Files(Vec<FileAsked<'a>>),
}

#[derive(Serialize)]
struct FileAsked<'a> {
    id: String,
    filename: &'a str,
    content_type: Option<&'a str>,
    size: Option<u64>,
    method: &'static str,
    metadata: &'a Metadata,
}

/// Unknown fields are refused: one that is misspelt would otherwise narrow nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    allow: bool,
    message: Option<String>,
    max_size: Option<u64>,
    key_prefix: Option<String>,
    metadata: Option<Metadata>,
}

/// What begins together and is not refused yet, as the application's authorizer lets it through, where there is one.
pub(super) async fn authorize(
    app: &App,
    caller: &Caller,
    profile: &Profile,
    each: Vec<Result<Upload, Error>>,
) -> Result<Vec<Result<Upload, Error>>, Error> {
    let authorizer = app.config.authorizer.as_ref();
    let Some(authorizer) = authorizer.filter(|it| it.decides(&profile.name)) else {
        return Ok(each);
    };
    let admitted: Vec<&Upload> = each.iter().filter_map(|file| file.as_ref().ok()).collect();
    let Some(first) = admitted.first() else {
        return Ok(each);
    };
    let id = format!("begin_{}", first.id);
    let question = question(caller, profile, &admitted)?;
    let answer = app
        .hooks
        .call(&authorizer.hook, &id, app.clock.now(), question)
        .await
        .map_err(undecided)?;
    let narrowing = understood(&answer, profile)?;
    Ok(each
        .into_iter()
        .map(|file| file.and_then(|upload| narrowing.narrow(upload)))
        .collect())
}

fn undecided(error: Error) -> Error {
    error.saying("the application could not be asked whether this may be uploaded: try again")
}

fn question(caller: &Caller, profile: &Profile, files: &[&Upload]) -> Result<Vec<u8>, Error> {
    let none = Map::new();
    let mut asked: Vec<FileAsked<'_>> = files.iter().map(|upload| about(upload)).collect();
    let owner = files.first().map(|upload| upload.owner.as_str());
    let question = Question {
        r#type: "begin",
        caller: Asker {
            owner: owner.unwrap_or_default(),
            claims: match &caller.who {
                Who::User { claims, .. } => claims.as_map(),
                _ => &none,
            },
            api_key: match &caller.who {
                Who::Server { name, .. } => Some(name),
                _ => None,
            },
            address: caller.address.map(|address| address.to_string()),
        },
        profile: &profile.name,
        asked: match asked.pop() {
            Some(only) if asked.is_empty() => Asked::File(only),
            Some(last) => {
                asked.push(last);
                Asked::Files(asked)
            }
            None => Asked::Files(asked),
        },
    };
    serde_json::to_vec(&question).map_err(|error| Kind::Internal.caused_by(error))
}

fn about(upload: &Upload) -> FileAsked<'_> {
    FileAsked {
        id: upload.id.to_string(),
        filename: &upload.filename,
        content_type: upload.content_type.as_ref().map(MediaType::as_str),
        size: upload.size_bytes,
        method: upload.method.as_str(),
        metadata: &upload.metadata,
    }
}

/// What an answer lets through.
#[derive(Debug, Default)]
struct Narrowing {
    narrowed: Narrowed,
    metadata: Metadata,
}

/// The answer, if it is one. What would let more through than the profile does is none.
fn understood(answer: &[u8], profile: &Profile) -> Result<Narrowing, Error> {
    let broken = |why: String| undecided(Kind::Unavailable.caused_by(why));
    let answer: Answer = serde_json::from_slice(answer)
        .map_err(|error| broken(format!("the authorizer's answer: {error}")))?;
    if !answer.allow {
        return Err(refusal(answer.message));
    }
    let sizes = profile.min_size_bytes.max(1)..=profile.max_size_bytes;
    if answer.max_size.is_some_and(|most| !sizes.contains(&most)) {
        return Err(broken(
            "the authorizer's `max_size` is none of the profile's sizes".into(),
        ));
    }
    let key_prefix = answer.key_prefix.map(|text| text.parse::<KeyPrefix>());
    let metadata = answer.metadata.unwrap_or_default();
    check_word(&metadata, profile).map_err(|error| broken(error.message().to_owned()))?;
    Ok(Narrowing {
        narrowed: Narrowed {
            max_size_bytes: answer.max_size,
            key_prefix: key_prefix
                .transpose()
                .map_err(|error| broken(error.to_string()))?,
            fields: metadata.keys().cloned().collect(),
        },
        metadata,
    })
}

/// The application's form data is by the profile's rules as the client's is, and takes away none that must be there.
fn check_word(metadata: &Metadata, profile: &Profile) -> Result<(), Error> {
    profile.check_metadata(metadata)?;
    let emptied = metadata.iter().filter(|(_, value)| value.is_empty());
    let required = |name: &String| profile.metadata.get(name).is_some_and(|it| it.required);
    match emptied.map(|(name, _)| name).find(|name| required(name)) {
        Some(name) => Err(Kind::MetadataRefused.because(format!("`metadata.{name}` is required"))),
        None => Ok(()),
    }
}

/// A refusal stays one, whatever its sentence.
fn refusal(sentence: Option<String>) -> Error {
    let sound = |text: &String| {
        let length = text.chars().count();
        (1..=MAX_SENTENCE_CHARS).contains(&length) && !text.chars().any(char::is_control)
    };
    match sentence.filter(sound) {
        Some(sentence) => Kind::Refused.because(sentence),
        None => Kind::Refused.into(),
    }
}

impl Narrowing {
    /// One upload with what holds for all; the application's form data goes before the client's.
    fn narrow(&self, upload: Upload) -> Result<Upload, Error> {
        let most = self.narrowed.max_size_bytes.unwrap_or(u64::MAX);
        if let Some(size) = upload.size_bytes.filter(|size| *size > most) {
            return Err(Kind::FileTooLarge.because(format!(
                "`{}` is {}; you may send at most {}",
                upload.filename,
                in_words(size),
                in_words(most)
            )));
        }
        let mut metadata = upload.metadata.clone();
        metadata.extend(self.metadata.clone());
        check_entries(&metadata)?;
        Ok(Upload {
            metadata,
            reserved_bytes: upload.reserved_bytes.min(most),
            narrowed: self.narrowed.clone(),
            ..upload
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_bounded_and_plain() {
        let says = |text: &str| refusal(Some(text.to_owned())).message().to_owned();
        assert_eq!(says("your trial is over"), "your trial is over");
        for bad in ["", "a\r\nset-cookie: x", "\u{1b}[2J", &"x".repeat(301)] {
            let error = refusal(Some(bad.to_owned()));
            assert_eq!(error.kind(), Kind::Refused);
            assert_eq!(error.message(), Kind::Refused.sentence(), "{bad:?}");
        }
    }
}
