//! Lets the SDK read a reply that came already: it asks, and is given it in the place of the
//! network's.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::config::Builder;
use aws_smithy_runtime_api::client::connection::CaptureSmithyConnection;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use super::send::Sent;
use crate::storage::s3::connector::{for_sdk, show_connection};

/// Goes with one request.
#[derive(Clone)]
pub(in crate::storage::s3) struct Replay(Arc<Mutex<Option<Sent>>>);

impl Replay {
    pub(super) fn new(sent: Sent) -> Self {
        Self(Arc::new(Mutex::new(Some(sent))))
    }

    /// What a request of the SDK's is told for itself alone.
    pub(in crate::storage::s3) fn config(self) -> Builder {
        let credentials = self.lock().as_ref().and_then(|sent| sent.credentials.clone());
        // Those that it was signed with: it is not the time to read others.
        let builder = match credentials {
            Some(credentials) => Builder::new().credentials_provider(credentials),
            None => Builder::new(),
        };
        builder.http_client(self)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Sent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpClient for Replay {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Replay {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        // Nobody tries again in here.
        let Some(sent) = self.lock().take() else {
            let error = ConnectorError::other("the reply was read before".into(), None);
            return HttpConnectorFuture::ready(Err(error));
        };
        show_connection(request.extension::<CaptureSmithyConnection>(), sent.connection);
        HttpConnectorFuture::ready(for_sdk(sent.reply))
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Replay(..)")
    }
}
