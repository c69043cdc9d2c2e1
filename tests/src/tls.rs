//! TLS before a scripted server, with a certificate that no public authority has signed.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::serving::Serving;

/// A place at which a scripted server is reached over TLS, as `localhost`.
pub struct TlsFront {
    serving: Serving,
    certificate: String,
}

impl TlsFront {
    /// Before the server at this URL.
    ///
    /// # Panics
    /// When the URL has no address, or no certificate can be made.
    #[must_use]
    pub fn before(url: &str) -> Self {
        let authority = url.split('/').nth(2).expect("an address in the URL");
        let behind: SocketAddr = authority.parse().expect("an address and a port");
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a certificate that fits its key");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let serving = Serving::start(0, move |stream| pass(acceptor.clone(), stream, behind));
        Self { serving, certificate: made.cert.pem() }
    }

    /// `https://localhost:…`, without a path.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.serving.address().port())
    }

    /// Its certificate, PEM.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }
}

/// Carries one connection to the server behind. A peer that does not trust the certificate has no connection.
async fn pass(acceptor: TlsAcceptor, stream: TcpStream, behind: SocketAddr) {
    let Ok(mut outside) = acceptor.accept(stream).await else { return };
    if let Ok(mut inside) = TcpStream::connect(behind).await {
        drop(copy_bidirectional(&mut outside, &mut inside).await);
    }
}
