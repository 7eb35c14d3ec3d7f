//! Presigns the same PUT with four signers in turn, and a POST policy with ours, for which the others have nothing.
//!
//! The rounds are interleaved, so that a noisy moment meets everyone; the best and the median round are told.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark may stop at once, and prints"
)]

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sigv4::http_request as sdk;
use loadlock_sigv4::{
    Bucket, Condition, Credentials, FormBuffer, PostPolicy, Presign, Signer, Style,
};
use rusty_s3::S3Action as _;

const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const REGION: &str = "eu-central-1";
const ENDPOINT: &str = "https://s3.eu-central-1.amazonaws.com";
const BUCKET: &str = "loadlock-staging";
const KEY: &str = "u/01J9ZQ4Y8T2K3M5N7P9R1S3T5V/photo.jpg";
const UPLOAD: &str = "01J9ZQ4Y8T2K3M5N7P9R1S3T5V";
const TYPE: &str = "image/jpeg";
const SIZE: u64 = 4_831_838;
const EXPIRES: Duration = Duration::from_mins(15);

const ROUNDS: usize = 1000;
/// Short, so that some rounds pass undisturbed on a busy machine.
const ROUND: Duration = Duration::from_micros(500);

/// One signer, with the nanoseconds of each of its rounds.
struct Contender<'a> {
    name: &'static str,
    sign: Box<dyn FnMut() + 'a>,
    nanoseconds: Vec<f64>,
}

impl<'a> Contender<'a> {
    fn new(name: &'static str, sign: impl FnMut() + 'a) -> Self {
        Self {
            name,
            sign: Box::new(sign),
            nanoseconds: Vec::new(),
        }
    }

    fn round(&mut self) {
        let start = Instant::now();
        let mut signed = 0_u32;
        while start.elapsed() < ROUND {
            // Reading the clock costs some 30 ns.
            for _ in 0..16 {
                (self.sign)();
            }
            signed += 16;
        }
        self.nanoseconds
            .push(start.elapsed().as_secs_f64() * 1e9 / f64::from(signed));
    }

    fn best(&self) -> f64 {
        self.nanoseconds.iter().copied().fold(f64::MAX, f64::min)
    }

    fn median(&self) -> f64 {
        let mut sorted = self.nanoseconds.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    }
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

fn with_aws_sigv4() -> impl FnMut() {
    let identity =
        aws_credential_types::Credentials::new(ACCESS_KEY, SECRET, None, None, "bench").into();
    let mut settings = sdk::SigningSettings::default();
    settings.signature_location = sdk::SignatureLocation::QueryParams;
    settings.expires_in = Some(EXPIRES);
    settings.percent_encoding_mode = sdk::PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = sdk::UriPathNormalizationMode::Disabled;
    let size = SIZE.to_string();
    move || {
        let params = aws_sigv4::sign::v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name("s3")
            .time(now())
            .settings(settings.clone())
            .build()
            .unwrap()
            .into();
        let url = format!("https://{BUCKET}.s3.{REGION}.amazonaws.com/{KEY}");
        let headers = [
            ("content-type", TYPE),
            ("content-length", size.as_str()),
            ("x-amz-meta-upload", UPLOAD),
        ];
        let body = sdk::SignableBody::UnsignedPayload;
        let request =
            sdk::SignableRequest::new("PUT", url.as_str(), headers.into_iter(), body).unwrap();
        black_box(sdk::sign(request, &params).unwrap());
    }
}

fn with_aws_sdk() -> impl FnMut() {
    let credentials =
        aws_credential_types::Credentials::new(ACCESS_KEY, SECRET, None, None, "bench");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(credentials)
        .build();
    let client = aws_sdk_s3::Client::from_conf(config);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    move || {
        let presigning = PresigningConfig::expires_in(EXPIRES).unwrap();
        let put = client
            .put_object()
            .bucket(BUCKET)
            .key(KEY)
            .content_type(TYPE);
        let put = put
            .content_length(i64::try_from(SIZE).unwrap())
            .metadata("upload", UPLOAD);
        black_box(runtime.block_on(put.presigned(presigning)).unwrap());
    }
}

fn with_rusty_s3() -> impl FnMut() {
    let credentials = rusty_s3::Credentials::new(ACCESS_KEY, SECRET);
    let style = rusty_s3::UrlStyle::VirtualHost;
    let bucket = rusty_s3::Bucket::new(ENDPOINT.parse().unwrap(), style, BUCKET, REGION).unwrap();
    let size = SIZE.to_string();
    move || {
        let mut put = bucket.put_object(Some(&credentials), KEY);
        let headers = put.headers_mut();
        headers.insert("content-type", TYPE);
        headers.insert("content-length", size.as_str());
        headers.insert("x-amz-meta-upload", UPLOAD);
        black_box(put.sign(EXPIRES));
    }
}

fn report(title: &str, contenders: &mut [Contender<'_>]) {
    for _ in 0..ROUNDS {
        contenders.iter_mut().for_each(Contender::round);
    }
    let (best, median) = (contenders[0].best(), contenders[0].median());
    println!("\n{title}");
    println!(
        "{:<40} {:>10} {:>10} {:>8} {:>8}",
        "", "best µs", "median µs", "× best", "× median"
    );
    for contender in contenders {
        println!(
            "{:<40} {:>10.3} {:>10.3} {:>8.1} {:>8.1}",
            contender.name,
            contender.best() / 1e3,
            contender.median() / 1e3,
            contender.best() / best,
            contender.median() / median,
        );
    }
}

fn presign_puts(signer: &Signer, bucket: &Bucket) {
    let size = SIZE.to_string();
    let headers = [
        ("content-type", TYPE),
        ("content-length", size.as_str()),
        ("x-amz-meta-upload", UPLOAD),
    ];
    let put = Presign {
        headers: &headers,
        ..Presign::new("PUT", bucket, KEY, EXPIRES)
    };
    let mut url = String::new();
    let ours = || {
        url.clear();
        signer
            .presign(&mut url, black_box(now()), black_box(&put))
            .unwrap();
        black_box(&url);
    };
    report(
        "A presigned PUT with content-type, content-length and one metadata header",
        &mut [
            Contender::new("loadlock-sigv4", ours),
            Contender::new("rusty-s3", with_rusty_s3()),
            Contender::new("aws-sigv4", with_aws_sigv4()),
            Contender::new("aws-sdk-s3", with_aws_sdk()),
        ],
    );
}

fn sign_forms(signer: &Signer, bucket: &Bucket) {
    let size = Condition::Size {
        min: SIZE,
        max: SIZE,
    };
    let exact = [
        Condition::Equals("key", KEY),
        Condition::Equals("Content-Type", TYPE),
        size,
    ];
    let with_metadata = [
        exact[0],
        exact[1],
        exact[2],
        Condition::Equals("x-amz-meta-upload", UPLOAD),
    ];
    let mut buffers = [FormBuffer::default(), FormBuffer::default()];
    let [first, second] = &mut buffers;
    let form = |buffer: &mut FormBuffer, conditions: &[Condition<'_>]| {
        let policy = PostPolicy {
            bucket,
            conditions,
            expires: EXPIRES,
        };
        black_box(
            signer
                .post_form(buffer, black_box(now()), black_box(&policy))
                .unwrap(),
        );
    };
    report(
        "A POST policy",
        &mut [
            Contender::new("key, Content-Type, content-length-range", || {
                form(first, &exact);
            }),
            Contender::new("and one metadata field", || {
                form(second, &with_metadata);
            }),
        ],
    );
}

fn main() {
    #[cfg(target_arch = "x86_64")]
    println!(
        "sha extensions: {}, x86_64",
        if std::is_x86_feature_detected!("sha") {
            "yes"
        } else {
            "no"
        }
    );
    let signer = Signer::new(Credentials::new(ACCESS_KEY, SECRET), REGION);
    let bucket = Bucket::new(ENDPOINT, BUCKET, Style::VirtualHost).unwrap();
    presign_puts(&signer, &bucket);
    sign_forms(&signer, &bucket);
}
