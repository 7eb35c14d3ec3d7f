//! Forms, as a browser posts them.
use loadlock_sigv4::{Condition, FormBuffer, PostPolicy};

use super::{Answer, At, LIFETIME, Unreachable, Wire, answer};
use crate::cli::doctor::grants::TYPE;

const BOUNDARY: &str = "loadlock-doctor-30cc1a";
const DISPOSITION: &str = "content-disposition: form-data";

impl Wire {
    /// Posts these bytes as a form that the uploader signed for the key, with these limits.
    pub(in crate::cli::doctor) async fn post(
        &self,
        key: &str,
        limits: Condition<'_>,
        body: &[u8],
    ) -> Result<Answer, Unreachable> {
        self.touch(At::Staging, key, None);
        let bucket = &self.outside[At::Staging as usize];
        let conditions = [
            Condition::Equals("key", key),
            Condition::Equals("content-type", TYPE),
            limits,
        ];
        let policy = PostPolicy {
            bucket,
            conditions: &conditions,
            expires: LIFETIME,
        };
        let mut buffer = FormBuffer::default();
        let form = self
            .uploader
            .post_form(&mut buffer, self.clock.now().into(), &policy)?;
        let field = |(name, value)| {
            format!("--{BOUNDARY}\r\n{DISPOSITION}; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let fields: String = form.fields().map(field).collect();
        let file = format!(
            "--{BOUNDARY}\r\n{DISPOSITION}; name=\"file\"; filename=\"f\"\r\ncontent-type: {TYPE}\r\n\r\n"
        );
        let end = format!("\r\n--{BOUNDARY}--\r\n");
        let sent = [fields.as_bytes(), file.as_bytes(), body, end.as_bytes()].concat();
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let request = self.http.post(bucket.url()).header("content-type", kind);
        answer(request.body(sent)).await
    }
}
