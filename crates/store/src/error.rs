//! S3's errors: one table of codes, statuses and sentences, and the error that a request ends in.

use std::borrow::Cow;

use http::StatusCode;

macro_rules! codes {
    ($($code:ident $status:literal $message:literal,)+) => {
        /// An S3 error code. The table is the only place that knows a code's status and sentence.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code { $($code,)+ }

        impl Code {
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$code => stringify!($code),)+ }
            }

            pub(crate) fn status(self) -> StatusCode {
                let status: u16 = match self { $(Self::$code => $status,)+ };
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            pub(crate) fn by_name(name: &str) -> Option<Self> {
                [$(Self::$code),+].into_iter().find(|code| code.name() == name)
            }

            fn message(self) -> &'static str {
                match self { $(Self::$code => $message,)+ }
            }
        }
    };
}

codes! {
    AccessControlListNotSupported 400 "The bucket does not allow ACLs",
    AccessDenied 403 "Access Denied",
    AccessForbidden 403 "CORSResponse: This CORS request is not allowed.",
    AuthorizationHeaderMalformed 400 "The authorization header that you provided is not valid.",
    AuthorizationQueryParametersError 400 "The authorization query parameters that you provided are not valid.",
    BadDigest 400 "The digest or checksum that you specified did not match what was received.",
    BadRequest 400 "Bad Request",
    BucketAlreadyOwnedByYou 409 "The bucket that you tried to create already exists, and you own it.",
    BucketNotEmpty 409 "The bucket that you tried to delete is not empty.",
    EntityTooLarge 400 "Your proposed upload exceeds the maximum allowed object size.",
    EntityTooSmall 400 "Your proposed upload is smaller than the minimum allowed object size.",
    ExpiredToken 400 "The provided token has expired.",
    IncompleteBody 400 "You did not provide the number of bytes specified by the Content-Length HTTP header.",
    InternalError 500 "We encountered an internal error. Please try again.",
    InvalidAccessKeyId 403 "The AWS access key ID that you provided does not exist in our records.",
    InvalidAction 400 "The action or version is not one that this service has.",
    InvalidArgument 400 "Invalid Argument",
    InvalidBucketName 400 "The specified bucket is not valid.",
    InvalidClientTokenId 403 "The security token included in the request is invalid.",
    InvalidDigest 400 "The Content-MD5 or checksum value that you specified is not valid.",
    InvalidPart 400 "One or more of the specified parts could not be found. The part might not have been uploaded, or the specified entity tag might not have matched the part's entity tag.",
    InvalidPartOrder 400 "The list of parts was not in ascending order. The parts list must be specified in order by part number.",
    InvalidPolicyDocument 400 "The content of the form does not meet the conditions specified in the policy document.",
    InvalidRange 416 "The requested range is not satisfiable",
    InvalidRequest 400 "Invalid Request",
    InvalidStorageClass 400 "The storage class that you specified is not valid.",
    InvalidTag 400 "The tag provided was not a valid tag.",
    InvalidToken 400 "The provided token is malformed or otherwise not valid.",
    InvalidURI 400 "The specified URI couldn't be parsed.",
    KeyTooLongError 400 "Your key is too long.",
    MalformedPOSTRequest 400 "The body of your POST request is not well-formed multipart/form-data.",
    MalformedPolicyDocument 400 "The policy document was malformed.",
    MalformedXML 400 "The XML that you provided was not well formed or did not validate against our published schema.",
    MaxMessageLengthExceeded 400 "Your request was too large.",
    MaxPostPreDataLengthExceeded 400 "Your POST request fields preceding the upload file were too large.",
    MetadataTooLarge 400 "Your metadata headers exceed the maximum allowed metadata size.",
    MethodNotAllowed 405 "The specified method is not allowed against this resource.",
    MissingContentLength 411 "You must provide the Content-Length HTTP header.",
    NoSuchBucket 404 "The specified bucket does not exist",
    NoSuchCORSConfiguration 404 "The CORS configuration does not exist",
    NoSuchKey 404 "The specified key does not exist.",
    NoSuchLifecycleConfiguration 404 "The lifecycle configuration does not exist",
    NoSuchUpload 404 "The specified multipart upload does not exist. The upload ID might be invalid, or the multipart upload might have been aborted or completed.",
    NotImplemented 501 "A header or query you provided implies functionality that is not implemented",
    PreconditionFailed 412 "At least one of the preconditions you specified did not hold.",
    RequestTimeTooSkewed 403 "The difference between the request time and the server's time is too large.",
    RequestTimeout 400 "Your socket connection to the server was not read from or written to within the timeout period.",
    ServiceUnavailable 503 "Service is unable to handle request.",
    SignatureDoesNotMatch 403 "The request signature that we calculated does not match the signature that you provided. Check your key and signing method.",
    SlowDown 503 "Please reduce your request rate.",
    ValidationError 400 "A parameter is not valid.",
    XAmzContentSHA256Mismatch 400 "The provided 'x-amz-content-sha256' header does not match what was computed.",
}

/// What a refused request is answered with.
#[derive(Debug)]
pub(crate) struct S3Error {
    pub(crate) code: Code,
    pub(crate) message: Cow<'static, str>,
    /// Further elements of the answer, such as the condition that did not hold.
    pub(crate) details: Vec<(&'static str, String)>,
}

/// What every step of answering a request returns.
pub(crate) type S3Result<T> = Result<T, S3Error>;

impl S3Error {
    pub(crate) fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    pub(crate) fn argument(name: &str, value: &str) -> Self {
        Self::new(Code::InvalidArgument, format!("invalid value of {name}"))
            .with("ArgumentName", name)
            .with("ArgumentValue", value)
    }

    pub(crate) fn precondition(condition: &'static str) -> Self {
        Self::from(Code::PreconditionFailed).with("Condition", condition)
    }

    pub(crate) fn not_implemented(what: &str) -> Self {
        Self::from(Code::NotImplemented).with("Header", what)
    }
}

impl From<Code> for S3Error {
    fn from(code: Code) -> Self {
        Self::new(code, code.message())
    }
}
