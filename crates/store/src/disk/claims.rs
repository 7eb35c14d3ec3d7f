//! How many bodies may be on their way to one key at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use super::{BucketName, Disk, DiskError, ObjectKey, files::lock};

type Keys = Mutex<HashMap<(BucketName, ObjectKey), usize>>;

/// The keys that bodies are on their way to.
#[derive(Debug, Default)]
pub(super) struct Claims(Arc<Keys>);

/// The right to send a body for a key, until it is dropped.
#[derive(Debug)]
pub struct Claim {
    key: (BucketName, ObjectKey),
    keys: Arc<Keys>,
}

impl Disk {
    /// Asks to send one more body for a key, be it an object or a part, to which there are fewer than `limit` on their
    /// way: a grant that is used over and over must not fill the disk. Else [`DiskError::TooManyWriters`].
    pub fn claim(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        limit: usize,
    ) -> Result<Claim, DiskError> {
        let keys = Arc::clone(&self.inner.claims.0);
        let key = (bucket.clone(), key.clone());
        let mut counts = lock(&keys);
        let count = counts.entry(key.clone()).or_default();
        if *count >= limit {
            return Err(DiskError::TooManyWriters);
        }
        *count += 1;
        drop(counts);
        Ok(Claim { key, keys })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut counts = lock(&self.keys);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}
