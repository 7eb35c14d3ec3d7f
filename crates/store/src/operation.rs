//! Which operation a request asks for. Decided in this one place; what is not listed here is not done.

use http::Method;

use crate::error::{Code, S3Error, S3Result};
use crate::request::{Query, Request, Target};

macro_rules! operations {
    ($($name:ident),+ $(,)?) => {
        /// Everything this store can do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Operation { $($name,)+ }

        impl Operation {
            /// S3's name for it.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }
        }
    };
}

operations! {
    ListBuckets,
    CreateBucket, DeleteBucket, HeadBucket, GetBucketLocation,
    GetBucketCors, PutBucketCors, DeleteBucketCors,
    GetBucketLifecycleConfiguration, PutBucketLifecycleConfiguration, DeleteBucketLifecycle,
    ListObjects, ListObjectsV2, ListMultipartUploads,
    PostObject, DeleteObjects,
    PutObject, CopyObject, GetObject, HeadObject, DeleteObject,
    GetObjectTagging, PutObjectTagging, DeleteObjectTagging,
    CreateMultipartUpload, UploadPart, UploadPartCopy, ListParts, CompleteMultipartUpload, AbortMultipartUpload,
}

/// Query parameters that make another operation of a request. Those of operations that this store does not have are
/// listed so that they are refused.
const SUBRESOURCES: &[&str] = &[
    "abac",
    "accelerate",
    "acl",
    "analytics",
    "append",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "list-type",
    "location",
    "logging",
    "metadataConfiguration",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "renameObject",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "select-type",
    "session",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versioning",
    "versions",
    "website",
];

/// Parameters that only refine an operation.
const REFINEMENTS: &[&str] = &[
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "key-marker",
    "marker",
    "max-keys",
    "max-parts",
    "max-uploads",
    "part-number-marker",
    "prefix",
    "start-after",
    "upload-id-marker",
    "versionId",
    "x-id",
];

impl Operation {
    /// Whether it keeps the tags that a request says in its header.
    pub(crate) fn keeps_tags(self) -> bool {
        matches!(
            self,
            Self::PutObject | Self::CopyObject | Self::CreateMultipartUpload
        )
    }

    pub(crate) fn of(request: &Request) -> S3Result<Self> {
        let subresources = subresources(&request.query)?;
        let operation = match request.target {
            Target::Service => service(&request.method, &subresources),
            Target::Bucket(_) => bucket(&request.method, &subresources, request),
            Target::Object(..) => object(&request.method, &subresources, request),
        };
        operation.ok_or_else(|| match subresources.first() {
            Some(name) => S3Error::not_implemented(name),
            None => Code::MethodNotAllowed.into(),
        })
    }
}

/// The subresources of a query, sorted. A parameter without a value that nobody knows may be one that this store has
/// never heard of: refused, so that it never falls through to another operation.
fn subresources(query: &Query) -> S3Result<Vec<&str>> {
    let mut found = Vec::new();
    for (name, value) in query.iter() {
        if SUBRESOURCES.contains(&name) {
            found.push(name);
        } else if name == "versionId" && value != "null" {
            return Err(S3Error::new(
                Code::InvalidArgument,
                "Invalid version id specified",
            ));
        } else if value.is_empty() && !is_refinement(name) {
            return Err(S3Error::not_implemented(name));
        }
    }
    found.sort_unstable();
    if found.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(S3Error::new(
            Code::InvalidArgument,
            "a query parameter is given twice",
        ));
    }
    Ok(found)
}

fn is_refinement(name: &str) -> bool {
    let prefix = |prefix: &str| {
        name.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    REFINEMENTS.contains(&name) || prefix("x-amz-") || prefix("response-")
}

fn service(method: &Method, subresources: &[&str]) -> Option<Operation> {
    (method == Method::GET && subresources.is_empty()).then_some(Operation::ListBuckets)
}

fn bucket(method: &Method, subresources: &[&str], request: &Request) -> Option<Operation> {
    use Operation as Op;
    Some(match (method.as_str(), subresources) {
        ("GET", []) => Op::ListObjects,
        ("GET", ["list-type"]) if request.query.value("list-type") == Some("2") => {
            Op::ListObjectsV2
        }
        ("GET", ["uploads"]) => Op::ListMultipartUploads,
        ("GET", ["location"]) => Op::GetBucketLocation,
        ("GET", ["cors"]) => Op::GetBucketCors,
        ("PUT", ["cors"]) => Op::PutBucketCors,
        ("DELETE", ["cors"]) => Op::DeleteBucketCors,
        ("GET", ["lifecycle"]) => Op::GetBucketLifecycleConfiguration,
        ("PUT", ["lifecycle"]) => Op::PutBucketLifecycleConfiguration,
        ("DELETE", ["lifecycle"]) => Op::DeleteBucketLifecycle,
        ("HEAD", []) => Op::HeadBucket,
        ("PUT", []) => Op::CreateBucket,
        ("DELETE", []) => Op::DeleteBucket,
        ("POST", ["delete"]) => Op::DeleteObjects,
        ("POST", []) if is_form(request) => Op::PostObject,
        _ => return None,
    })
}

fn object(method: &Method, subresources: &[&str], request: &Request) -> Option<Operation> {
    use Operation as Op;
    let copies = request.attributes.value("x-amz-copy-source").is_some();
    Some(match (method.as_str(), subresources) {
        ("GET", []) => Op::GetObject,
        ("HEAD", []) => Op::HeadObject,
        ("PUT", []) if copies => Op::CopyObject,
        ("PUT", []) => Op::PutObject,
        ("DELETE", []) => Op::DeleteObject,
        ("GET", ["tagging"]) => Op::GetObjectTagging,
        ("PUT", ["tagging"]) => Op::PutObjectTagging,
        ("DELETE", ["tagging"]) => Op::DeleteObjectTagging,
        ("POST", ["uploads"]) => Op::CreateMultipartUpload,
        ("PUT", ["partNumber", "uploadId"]) if copies => Op::UploadPartCopy,
        ("PUT", ["partNumber", "uploadId"]) => Op::UploadPart,
        ("GET", ["uploadId"]) => Op::ListParts,
        ("POST", ["uploadId"]) => Op::CompleteMultipartUpload,
        ("DELETE", ["uploadId"]) => Op::AbortMultipartUpload,
        _ => return None,
    })
}

fn is_form(request: &Request) -> bool {
    let kind = request
        .header(&http::header::CONTENT_TYPE)
        .unwrap_or_default();
    kind.get(..19)
        .is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/form-data"))
}

#[cfg(test)]
mod tests {
    use super::{Operation, SUBRESOURCES};
    use crate::error::{Code, S3Result};
    use crate::request::Request;

    fn operation(method: &str, uri: &str, header: Option<(&str, &str)>) -> S3Result<Operation> {
        let mut request = http::Request::builder().method(method).uri(uri);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        Operation::of(&Request::read(
            request.body(()).unwrap().into_parts().0,
            None,
        )?)
    }

    #[test]
    fn requests_are_told_apart() {
        let table = [
            ("GET", "/", Operation::ListBuckets),
            ("PUT", "/bkt", Operation::CreateBucket),
            ("GET", "/bkt?list-type=2&prefix=", Operation::ListObjectsV2),
            ("GET", "/bkt/?prefix=a", Operation::ListObjects),
            ("GET", "/bkt?cors", Operation::GetBucketCors),
            ("GET", "/bkt?cors=", Operation::GetBucketCors),
            ("POST", "/bkt?delete", Operation::DeleteObjects),
            ("GET", "/bkt/k", Operation::GetObject),
            (
                "GET",
                "/bkt/k?X-Amz-Signature=x&response-content-type=a&x-id=GetObject&versionId=null&v=1",
                Operation::GetObject,
            ),
            ("PUT", "/bkt/k", Operation::PutObject),
            ("PUT", "/bkt/k?tagging", Operation::PutObjectTagging),
            ("GET", "/bkt/k?tagging=", Operation::GetObjectTagging),
            ("DELETE", "/bkt/k?tagging", Operation::DeleteObjectTagging),
            ("POST", "/bkt/k?uploads", Operation::CreateMultipartUpload),
            (
                "PUT",
                "/bkt/k?partNumber=1&uploadId=u",
                Operation::UploadPart,
            ),
            (
                "PUT",
                "/bkt/k?uploadId=u&partNumber=1",
                Operation::UploadPart,
            ),
            ("GET", "/bkt/k?uploadId=u", Operation::ListParts),
            (
                "POST",
                "/bkt/k?uploadId=u",
                Operation::CompleteMultipartUpload,
            ),
            (
                "DELETE",
                "/bkt/k?uploadId=u",
                Operation::AbortMultipartUpload,
            ),
        ];
        for (method, uri, expected) in table {
            assert_eq!(
                operation(method, uri, None).unwrap(),
                expected,
                "{method} {uri}"
            );
        }
    }

    #[test]
    fn copies_and_forms_are_told_by_their_headers() {
        let source = Some(("x-amz-copy-source", "/a/b"));
        assert_eq!(
            operation("PUT", "/bkt/k", source).unwrap(),
            Operation::CopyObject
        );
        assert_eq!(
            operation("PUT", "/bkt/k?partNumber=1&uploadId=u", source).unwrap(),
            Operation::UploadPartCopy
        );
        assert_eq!(
            operation("PUT", "/bkt/k?x-amz-copy-source=a%2Fb", None).unwrap(),
            Operation::CopyObject
        );
        let form = Some(("content-type", "multipart/form-data; boundary=x"));
        assert_eq!(
            operation("POST", "/bkt", form).unwrap(),
            Operation::PostObject
        );
    }

    #[test]
    fn an_unknown_subresource_never_falls_through_to_another_operation() {
        for name in SUBRESOURCES {
            for method in ["GET", "PUT", "POST", "DELETE", "HEAD"] {
                for path in ["/", "/bkt", "/bkt/k"] {
                    let Ok(found) = operation(method, &format!("{path}?{name}"), None) else {
                        continue;
                    };
                    let plain = operation(method, path, None).ok();
                    assert_ne!(Some(found), plain, "{method} {path}?{name}");
                }
            }
        }
        let table = [
            "/bkt/k?acl",
            "/bkt?tagging",
            "/bkt/k?tagging&acl",
            "/bkt/k?frobnicate",
            "/bkt?policy",
            "/bkt/k?partNumber=1",
            "/bkt/k?cors",
            "/?cors",
        ];
        for uri in table {
            let error = operation("PUT", uri, None).unwrap_err();
            assert_eq!(error.code, Code::NotImplemented, "{uri}");
        }
    }

    #[test]
    fn a_method_without_meaning_is_not_allowed() {
        for (method, uri) in [
            ("PATCH", "/bkt/k"),
            ("POST", "/bkt/k"),
            ("POST", "/bkt"),
            ("PUT", "/"),
            ("TRACE", "/bkt"),
        ] {
            assert_eq!(
                operation(method, uri, None).unwrap_err().code,
                Code::MethodNotAllowed,
                "{method} {uri}"
            );
        }
    }

    #[test]
    fn ambiguous_queries_are_refused() {
        for uri in [
            "/bkt/k?uploadId=a&uploadId=b&partNumber=1",
            "/bkt/k?versionId=abc",
        ] {
            assert_eq!(
                operation("PUT", uri, None).unwrap_err().code,
                Code::InvalidArgument,
                "{uri}"
            );
        }
    }
}
