//! What `loadlock init` is told, by options or by a person.
use std::io::{self, BufRead as _, Write as _};

use anyhow::bail;
use clap::ValueEnum;

use super::Args;
use crate::config::forms::{self, Form};

/// Where the three identities' keys come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Keys {
    /// New ones, which the store is then told
    Own,
    /// Three profiles of the AWS configuration
    Profiles,
    /// AWS's default credential chain
    Chain,
}

/// Everything the file is made of.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) public_url: String,
    pub(super) origin: String,
    pub(super) region: String,
    pub(super) endpoint: String,
    pub(super) style: String,
    pub(super) staging_bucket: String,
    pub(super) final_bucket: String,
    pub(super) keys: Keys,
}

impl Answers {
    /// Asks for what the options do not say; with `--yes` nothing.
    pub(super) fn collect(args: &Args) -> anyhow::Result<Self> {
        let ask = Asker { silent: args.yes };
        if !args.yes {
            tell("\nA few questions; Enter takes what stands in brackets.\n\n")?;
        }
        let public_url = ask.text(
            ("Where browsers reach Loadlock", "http://127.0.0.1:8080"),
            args.public_url.as_deref(),
            &forms::URL,
        )?;
        let origin = ask.text(
            ("Where the application's pages are", "http://localhost:3000"),
            args.origin.as_deref(),
            &forms::ORIGIN,
        )?;
        let region = ask.text(
            ("The store's region", "eu-central-1"),
            args.region.as_deref(),
            &forms::REGION,
        )?;
        let aws = format!("https://s3.{region}.amazonaws.com");
        let endpoint = ask.text(
            ("The store's address", &aws),
            args.endpoint.as_deref(),
            &forms::ENDPOINT,
        )?;
        let usual = if endpoint.ends_with(".amazonaws.com") {
            ("virtual", "chain")
        } else {
            ("path", "own")
        };
        let style = ask.text(
            ("How requests name a bucket: path or virtual", usual.0),
            args.style.as_deref(),
            &forms::STYLE,
        )?;
        let (staging_bucket, final_bucket) = ask.buckets(args, &bucket_prefix(&origin))?;
        Ok(Self {
            public_url,
            origin,
            region,
            endpoint,
            style,
            staging_bucket,
            final_bucket,
            keys: ask.keys(args.keys, usual.1)?,
        })
    }
}

/// Asks, or takes what is usual.
struct Asker {
    silent: bool,
}

impl Asker {
    fn buckets(&self, args: &Args, prefix: &str) -> anyhow::Result<(String, String)> {
        let staging = self.text(
            ("The bucket clients write to", &format!("{prefix}-staging")),
            args.staging_bucket.as_deref(),
            &forms::BUCKET,
        )?;
        let finals = self.text(
            ("The bucket files end up in", &format!("{prefix}-files")),
            args.final_bucket.as_deref(),
            &forms::BUCKET,
        )?;
        Ok((staging, finals))
    }

    fn keys(&self, given: Option<Keys>, usual: &str) -> anyhow::Result<Keys> {
        if let Some(keys) = given {
            return Ok(keys);
        }
        let asks = "The keys of the store's three identities: own (new ones, to be told to the store),\n  \
                    profiles (three of ~/.aws) or chain (wherever AWS finds them)";
        let named = self.answer((asks, usual), None, &|text| {
            let known = Keys::from_str(text, false).is_ok();
            (!known).then(|| "is none of own, profiles and chain".to_owned())
        })?;
        Keys::from_str(&named, false).map_err(anyhow::Error::msg)
    }

    /// A question and its usual answer, what an option gave, and what an answer must be like.
    fn text<T>(
        &self,
        question: (&str, &str),
        given: Option<&str>,
        form: &Form<T>,
    ) -> anyhow::Result<String> {
        self.answer(question, given, &|text| {
            let wrong = (form.parse)(text).err()?;
            let right = wrong.right.as_deref().unwrap_or(form.right);
            Some(format!("{}; right would be {right}", wrong.says))
        })
    }

    fn answer(
        &self,
        (asks, usual): (&str, &str),
        given: Option<&str>,
        wrong: &dyn Fn(&str) -> Option<String>,
    ) -> anyhow::Result<String> {
        if self.silent || given.is_some() {
            let answer = given.unwrap_or(usual);
            return match wrong(answer) {
                None => Ok(answer.to_owned()),
                Some(wrong) => bail!("{asks}: \"{answer}\" {wrong}"),
            };
        }
        loop {
            tell(&format!("  {asks} [{usual}]: "))?;
            let mut line = String::new();
            if io::stdin().lock().read_line(&mut line)? == 0 {
                bail!("no more answers; `loadlock init --yes` asks nothing");
            }
            let answer = match line.trim() {
                "" => usual,
                answer => answer,
            };
            match wrong(answer) {
                None => return Ok(answer.to_owned()),
                Some(wrong) => tell(&format!("    \"{answer}\" {wrong}\n"))?,
            }
        }
    }
}

fn tell(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Buckets are named after the application; names on AWS are everyone's.
fn bucket_prefix(origin: &str) -> String {
    let host = origin.split("://").last().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    let local = host == "localhost" || host.starts_with(|c: char| c.is_ascii_digit() || c == '[');
    let prefix: String = host.replace('.', "-").chars().take(50).collect();
    if local { "loadlock".to_owned() } else { prefix }
}
