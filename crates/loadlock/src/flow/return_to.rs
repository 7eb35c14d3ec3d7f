//! Return: a form was sent without a script's help; its upload is completed, and the person goes on to the application.

use tokio::time::Instant;

use crate::{
    app::App,
    error::Error,
    flow::{
        self,
        begin::origin,
        complete::{PATIENCE, settle},
    },
    upload::{State, Upload, UploadId},
};

/// Where the person goes on, with the upload's id and how it stands. Nobody need say who they are: it does what would
/// happen by itself a little later, and leads nowhere but to the application.
pub async fn return_to(app: &App, id: UploadId) -> Result<String, Error> {
    let allowed = |address: &String| origin(address).is_some_and(|it| app.config.origins.allow(it));
    let upload = app.records.upload(id).await?;
    let address = upload.and_then(|upload| upload.return_to).filter(allowed);
    let address = address.ok_or_else(|| flow::unknown(id))?;
    let upload = match settle(app, id, Instant::now() + PATIENCE).await {
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
