//! Waiting for an upload to change, within this process. A poll beside it is the net for other processes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;

use crate::upload::UploadId;

/// Who waits for which upload.
#[derive(Debug, Clone, Default)]
pub(super) struct Watchers(Arc<Mutex<HashMap<UploadId, watch::Sender<()>>>>);

/// A wait for one upload's next change.
#[derive(Debug)]
pub struct Watch {
    id: UploadId,
    /// Given up under the lock, so that the last one sees that it is the last.
    changes: Option<watch::Receiver<()>>,
    watchers: Watchers,
}

impl Watchers {
    pub(super) fn watch(&self, id: UploadId) -> Watch {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = waiting
            .entry(id)
            .or_insert_with(|| watch::Sender::new(()))
            .subscribe();
        Watch {
            id,
            changes: Some(changes),
            watchers: self.clone(),
        }
    }

    pub(super) fn tell(&self, id: UploadId) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = waiting.get(&id) {
            sender.send_replace(());
        }
    }
}

impl Watch {
    /// Resolves at the first change since the watch was made, or since the last.
    pub async fn changed(&mut self) {
        if let Some(changes) = &mut self.changes {
            // The sender lives as long as anyone watches.
            let _ = changes.changed().await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut waiting = self
            .watchers
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        drop(self.changes.take());
        let last = waiting
            .get(&self.id)
            .is_some_and(|sender| sender.receiver_count() == 0);
        if last {
            waiting.remove(&self.id);
        }
    }
}
