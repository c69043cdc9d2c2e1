//! Opening a connection: resolve, connect, TLS, HTTP/1.1 handshake, all under one timer.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::Origin;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;

use crate::body::Outgoing;

/// Shared TLS client configuration: session resumption works across all cores.
pub type Tls = Arc<ClientConfig>;

/// TLS with the bundled trust anchors, plus those of `extra_roots` (PEM).
///
/// # Errors
/// When `extra_roots` holds no certificate that can be read.
pub fn tls_config(extra_roots: Option<&[u8]>) -> Result<Tls, io::Error> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(pem) = extra_roots {
        use rustls::pki_types::pem::PemObject as _;
        for certificate in rustls::pki_types::CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A fresh connection, ready to send. Its driver runs as a task of the current runtime and ends with the connection.
pub(crate) async fn connect(origin: &Origin, tls: &Tls, limit: Duration) -> Result<SendRequest<Outgoing>, io::Error> {
    tokio::time::timeout(limit, open(origin, tls))
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "connect timed out")))
}

async fn open(origin: &Origin, tls: &Tls) -> Result<SendRequest<Outgoing>, io::Error> {
    let stream = TcpStream::connect((&*origin.host, origin.port)).await?;
    // Without it a request head and body in two segments can wait 40 ms for a delayed acknowledgement.
    stream.set_nodelay(true)?;
    if !origin.tls {
        return handshake(TokioIo::new(stream)).await;
    }
    let name = ServerName::try_from(origin.host.to_string()).map_err(io::Error::other)?;
    let stream = tokio_rustls::TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?;
    handshake(TokioIo::new(stream)).await
}

async fn handshake<T>(io: T) -> Result<SendRequest<Outgoing>, io::Error>
where
    T: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = http1::Builder::new().handshake(io).await.map_err(io::Error::other)?;
    tokio::spawn(async move {
        // How the connection ended reaches whoever awaits the response or its body; here it would only be told twice.
        drop(connection.await);
    });
    Ok(sender)
}
