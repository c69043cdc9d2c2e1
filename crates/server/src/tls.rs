//! TLS on the caller's side, with certificates that can be replaced while running.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Where certificate and key are.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// PEM file with the certificate chain, leaf first.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

/// The TLS configuration new connections use; running ones keep theirs.
#[derive(Clone, Default)]
pub struct TlsReload(Arc<ArcSwapOption<ServerConfig>>);

impl TlsReload {
    /// Reads the files and uses them from now on. Files that cannot be used change nothing.
    ///
    /// # Errors
    /// When a file cannot be read, holds no certificate or key, or the two do not belong together.
    pub fn load(&self, files: &TlsFiles) -> io::Result<()> {
        let named = |path: &PathBuf, error: String| io::Error::other(format!("{}: {error}", path.display()));
        let chain = CertificateDer::pem_file_iter(&files.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| named(&files.certificate, error.to_string()))?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| named(&files.key, error.to_string()))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| named(&files.certificate, error.to_string()))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        self.0.store(Some(Arc::new(config)));
        Ok(())
    }

    pub(crate) fn current(&self) -> Option<Arc<ServerConfig>> {
        self.0.load_full()
    }
}
