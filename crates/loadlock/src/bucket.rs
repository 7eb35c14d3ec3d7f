//! The few S3 calls the service itself makes, and the grants it signs for others. Three identities, never mixed.

mod content;
mod copy;
pub mod grant;
mod identity;
mod listing;
mod objects;
mod parts;
mod vend;

use std::{fmt, sync::Arc, time::Duration};

use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Region, RequestChecksumCalculation, ResponseChecksumValidation,
        StalledStreamProtectionConfig,
        retry::RetryConfig,
        timeout::{TimeoutConfig, TimeoutConfigBuilder},
    },
    error::{ProvideErrorMetadata, SdkError},
};
use aws_smithy_async::time::TimeSource;
pub use loadlock_sigv4::{Credentials, Style};

pub(crate) use self::copy::refusal;
use self::grant::Signing;
pub use self::{
    copy::{CopyPin, Final, MAX_COPY_BYTES, Promoted},
    identity::{ReaderIdentity, ServerIdentity, Source, UploaderIdentity},
    listing::{Listed, Page},
    objects::Object,
    parts::{Completed, Part},
    vend::{LONGEST, SHORTEST, Vended, Vending, Vendor, Way, Wish},
};
use crate::{
    clock::Clock,
    error::{Error, Kind},
};

/// The store and how to reach it.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// As the server reaches it: `http://127.0.0.1:9000`.
    pub endpoint: String,
    /// As browsers reach it; grants and display URLs are signed for it.
    pub public_endpoint: String,
    pub region: String,
    pub style: Style,
    pub staging_bucket: String,
    pub final_bucket: String,
    /// Whether it refuses a second PUT with `if-none-match: *`. Where it does not, nothing is inspected in place.
    pub conditional_writes: bool,
    pub copy_pin: CopyPin,
    pub uploader: UploaderIdentity,
    pub server: ServerIdentity,
    pub reader: ReaderIdentity,
}

/// The store, as the service uses it. Clones share one client.
#[derive(Clone)]
pub struct Bucket {
    client: Client,
    staging: Arc<str>,
    finals: Arc<str>,
    signing: Arc<Signing>,
    conditional_writes: bool,
    copy_pin: CopyPin,
}

impl Bucket {
    /// A connection to be. Asks for the identities' key pairs where they are not told; the store itself is asked nothing.
    pub async fn open(settings: &StoreSettings, clock: Clock) -> Result<Self, Error> {
        let signing = Signing::new(settings, &clock).await?;
        // The client asks for keys when it first needs them; who starts the service should hear at once that there are none.
        let ServerIdentity(server) = &settings.server;
        let keys = server.credentials(&settings.region).await;
        keys.map_err(|error| error.saying(identity::keyless("server")))?;
        Ok(Self {
            signing: Arc::new(signing),
            client: client(settings, server, clock).await,
            staging: settings.staging_bucket.as_str().into(),
            finals: settings.final_bucket.as_str().into(),
            conditional_writes: settings.conditional_writes,
            copy_pin: settings.copy_pin,
        })
    }
}

/// A client of the store, as whoever has these key pairs.
pub(crate) async fn client(settings: &StoreSettings, who: &Source, clock: Clock) -> Client {
    let credentials = who.provider(&settings.region).await;
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(settings.region.clone()))
        .endpoint_url(&settings.endpoint)
        .force_path_style(settings.style == Style::Path)
        .credentials_provider(credentials)
        // Stores other than AWS refuse, or do not send, the checksums that newer SDKs add unasked.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        // A copy of gigabytes is silent for long.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .retry_config(RetryConfig::standard())
        .timeout_config(within(CALL))
        .time_source(Time(clock))
        .build();
    Client::from_conf(config)
}

/// How long a call may take that moves no bytes; a connection that has died silently must not hold its caller.
const CALL: Duration = Duration::from_secs(30);
/// How long the store may take to copy or to join up to 5 GiB, which it does in silence.
const MOVE: Duration = Duration::from_mins(15);

/// A limit for each attempt. An attempt cut off counts as failed in passing, and is repeated.
fn within(limit: Duration) -> TimeoutConfig {
    TimeoutConfigBuilder::new()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(limit)
        .build()
}

/// For calls that make the store move bytes.
fn patiently() -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::Config::builder().timeout_config(within(MOVE))
}

#[derive(Debug)]
struct Time(Clock);

impl TimeSource for Time {
    fn now(&self) -> std::time::SystemTime {
        self.0.now().into()
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("staging", &self.staging)
            .field("final", &self.finals)
            .finish_non_exhaustive()
    }
}

type SdkFailure<E> = SdkError<E, aws_sdk_s3::config::http::HttpResponse>;

/// What a failed call says, as far as the service tells it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// No such object or upload.
    Missing,
    /// The object is no longer the one that was pinned.
    Changed,
    /// The content does not match its checksum.
    Mismatch,
    Other,
}

fn trouble<E: ProvideErrorMetadata>(failure: &SdkFailure<E>) -> Trouble {
    let status = failure
        .raw_response()
        .map(|response| response.status().as_u16());
    // HEAD has no body to say more than a status.
    match (failure.code(), status) {
        (Some("NoSuchKey" | "NoSuchUpload" | "NotFound"), _) | (None, Some(404)) => {
            Trouble::Missing
        }
        (Some("PreconditionFailed"), _) | (None, Some(412)) => Trouble::Changed,
        (Some("BadDigest" | "XAmzContentChecksumMismatch"), _) => Trouble::Mismatch,
        _ => Trouble::Other,
    }
}

fn failed<E>(failure: SdkFailure<E>) -> Error
where
    E: std::error::Error + Send + Sync + 'static,
{
    Kind::Unavailable.caused_by(failure)
}
