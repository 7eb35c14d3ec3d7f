//! Return: a form was sent without a script's help; its upload is completed, and the person goes on to the application.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    app::App,
    auth::Who,
    error::Error,
    flow::{
        self,
        begin::origin,
        complete::{PATIENCE, settle},
    },
    upload::{State, Upload, UploadId},
};

/// Where the person goes on, with the upload's id and how it stands. Nobody need say who they are: it does what would
/// happen by itself a little later, and leads nowhere but to the application. What stands in its address is told as long as a
/// person may still be on the way.
pub async fn return_to(app: &App, id: UploadId) -> Result<String, Error> {
    let allowed = |address: &String| origin(address).is_some_and(|it| app.config.origins.allow(it));
    let now = app.clock.now();
    let on_the_way = |it: &Upload| it.claim.is_none() && now < it.token_expires_at();
    let upload = app.records.upload(id).await?.filter(on_the_way);
    let address = upload.and_then(|upload| upload.return_to).filter(allowed);
    let address = address.ok_or_else(|| flow::unknown(id))?;
    // Anybody may ask, so that only so many are waited for at a time.
    let place = app.waiting.try_acquire();
    let patience = place.as_ref().map_or(Duration::ZERO, |_| PATIENCE);
    let upload = match settle(
        app,
        Some(&Who::Nobody.into()),
        id,
        Instant::now() + patience,
    )
    .await
    {
        Ok(upload) => upload,
        // The person is not kept: the application sees the state, and the background goes on.
        Err(error) => {
            tracing::debug!(%id, %error, "a form is not complete");
            flow::reload(app, id).await?
        }
    };
    tracing::info!(%id, state = upload.state.name(), "return");
    Ok(told(&address, &upload))
}

/// The address with what became of the upload.
fn told(address: &str, upload: &Upload) -> String {
    let joint = if address.contains('?') { '&' } else { '?' };
    let (id, state) = (upload.id, upload.state.name());
    let reason = match &upload.state {
        State::Rejected { reason, .. } => format!("&reason={}", reason.code()),
        _ => String::new(),
    };
    format!("{address}{joint}upload={id}&state={state}{reason}")
}
