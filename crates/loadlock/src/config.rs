//! What the service is told at its start.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use crate::{
    auth::Token,
    bucket::StoreSettings,
    upload::{ActiveContent, KeyTemplate, Lifetimes, Method, Profile, Promote, Read, TypePattern},
};

/// What the service is told at its start.
#[derive(Debug, Clone)]
pub struct Config {
    /// The API's address as clients know it, without a slash at its end.
    pub api_url: String,
    /// The file of the records' database; made when missing.
    pub records: PathBuf,
    pub store: StoreSettings,
    pub profiles: Vec<Profile>,
    /// Users' tokens and API keys.
    pub tokens: Vec<Token>,
}

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// The profiles `loadlock dev` ships: `image` and `video`, promoted when complete, and `post`, promoted on a claim.
pub fn dev_profiles() -> Result<Vec<Profile>, InvalidProfile> {
    const IMAGES: [&str; 5] = [
        "image/jpeg",
        "image/png",
        "image/gif",
        "image/webp",
        "image/avif",
    ];
    const VIDEOS: [&str; 3] = ["video/mp4", "video/webm", "video/quicktime"];
    let both = [IMAGES.as_slice(), VIDEOS.as_slice()].concat();
    Ok(vec![
        dev_profile("image", &IMAGES, 25 * MIB, Promote::OnComplete)?,
        dev_profile("video", &VIDEOS, 5 * GIB, Promote::OnComplete)?,
        dev_profile("post", &both, 5 * GIB, Promote::OnClaim)?,
    ])
}

/// A profile that says something impossible.
#[derive(Debug, thiserror::Error)]
#[error("invalid profile")]
#[non_exhaustive]
pub enum InvalidProfile {
    Type(#[from] crate::upload::media::NotAMediaType),
    Key(#[from] crate::upload::key::NotATemplate),
}

fn dev_profile(
    name: &str,
    types: &[&str],
    max_size_bytes: u64,
    promote: Promote,
) -> Result<Profile, InvalidProfile> {
    let types: Result<Vec<TypePattern>, _> = types.iter().map(|text| text.parse()).collect();
    let key: KeyTemplate = "{profile}/{owner}/{id}.{ext}".parse()?;
    Ok(Profile {
        name: name.to_owned(),
        types: types?,
        extensions: Vec::new(),
        min_size_bytes: 1,
        max_size_bytes,
        max_files: 20,
        methods: vec![Method::Put, Method::Post, Method::Multipart],
        key,
        metadata: BTreeMap::new(),
        // Together under 24 hours, when the staging bucket's own rule begins to clear away.
        lifetimes: Lifetimes {
            grant: 15 * MINUTE,
            upload: 12 * HOUR,
            ready: 6 * HOUR,
            display: HOUR,
        },
        promote,
        read: Read::Public,
        active_content: ActiveContent::Refuse,
    })
}

impl Config {
    /// The profile of this name.
    pub fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::MediaType;

    #[test]
    fn dev_profiles_take_photos_and_videos() {
        let profiles = dev_profiles().unwrap();
        let names: Vec<&str> = profiles.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["image", "video", "post"]);
        let jpeg: MediaType = "image/jpeg".parse().unwrap();
        let taken: Vec<bool> = profiles.iter().map(|p| p.takes(&jpeg)).collect();
        assert_eq!(taken, [true, false, true]);
        for profile in &profiles {
            let lives = profile.lifetimes;
            assert!(lives.upload + lives.ready < 24 * HOUR);
        }
    }
}
