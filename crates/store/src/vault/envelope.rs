//! One sealed secret, as bytes:
//!
//! ```text
//! "GHS1" │ master key's id (8) │ nonce (12) │ record key, wrapped (32 + 16) │ nonce (12) │ secret, sealed (n + 16)
//! ```
//!
//! Both parts are AES-256-GCM. What they are bound to (additional data) is the header and the place of the record; of each
//! text its length comes first, so that no two places write the same bytes.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::master::MasterKey;
use crate::{StoreError, secret_file};

const VERSION: &[u8; 4] = b"GHS1";
const ID: usize = 8;
const TAG: usize = 16;
const KEY: usize = 32;
const HEADER: usize = VERSION.len() + ID;
const WRAPPED: usize = NONCE_LEN + KEY + TAG;

/// Where a record stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) organisation: &'a str,
    pub(super) id: &'a str,
}

/// Seals a secret under a key of its own, wrapped by the master key.
pub(super) fn seal(master: &MasterKey, place: Place<'_>, secret: &[u8]) -> Result<Vec<u8>, StoreError> {
    let record_key = Zeroizing::new(secret_file::random()?);
    let mut sealed = header(master);
    sealed.extend(encrypt(master.bytes(), &place.bound("key", master), &record_key[..])?);
    sealed.extend(encrypt(&record_key, &place.bound("secret", master), secret)?);
    Ok(sealed)
}

/// Opens what [`seal`] made.
pub(super) fn open(master: &MasterKey, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
    let (wrapped, secret) = parts(master, sealed)?;
    let record_key = unwrap_key(master, place, wrapped)?;
    // The secret itself is bound to its place and version, not to a master key: those change.
    decrypt(&record_key, &place.bound("secret", master), secret)
}

/// Wraps the record's key by another master key; the sealed secret stays as it is.
pub(super) fn rewrap(old: &MasterKey, new: &MasterKey, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
    let (wrapped, secret) = parts(old, sealed)?;
    let record_key = unwrap_key(old, place, wrapped)?;
    let mut rewrapped = header(new);
    rewrapped.extend(encrypt(new.bytes(), &place.bound("key", new), &record_key[..])?);
    rewrapped.extend(secret);
    Ok(rewrapped)
}

impl Place<'_> {
    fn bound(self, column: &str, master: &MasterKey) -> Vec<u8> {
        let mut bytes = VERSION.to_vec();
        if column == "key" {
            bytes.extend(master.raw_id());
        }
        for text in ["secrets", self.organisation, self.id, column] {
            bytes.extend((text.len() as u64).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes
    }
}

fn header(master: &MasterKey) -> Vec<u8> {
    [VERSION.as_slice(), master.raw_id()].concat()
}

fn parts<'a>(master: &MasterKey, sealed: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), StoreError> {
    let whole = sealed.len() >= HEADER + WRAPPED + NONCE_LEN + TAG;
    if !whole || !sealed.starts_with(VERSION) || sealed[VERSION.len()..HEADER] != *master.raw_id() {
        return Err(tampered());
    }
    Ok(sealed[HEADER..].split_at(WRAPPED))
}

fn unwrap_key(master: &MasterKey, place: Place<'_>, wrapped: &[u8]) -> Result<Zeroizing<[u8; KEY]>, StoreError> {
    let key = Zeroizing::new(decrypt(master.bytes(), &place.bound("key", master), wrapped)?);
    key.as_slice().try_into().map(Zeroizing::new).map_err(|_| tampered())
}

fn encrypt(key: &[u8; KEY], bound: &[u8], plain: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(StoreError::Random)?;
    let mut sealed = plain.to_vec();
    cipher(key)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound), &mut sealed)
        .map_err(|_| StoreError::Vault { what: "a secret cannot be sealed" })?;
    Ok([&nonce[..], &sealed].concat())
}

fn decrypt(key: &[u8; KEY], bound: &[u8], sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or_else(tampered)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| tampered())?;
    let mut opened = sealed.to_vec();
    let length = cipher(key)?.open_in_place(nonce, Aad::from(bound), &mut opened).map_err(|_| tampered())?.len();
    opened.truncate(length);
    Ok(opened)
}

fn cipher(key: &[u8; KEY]) -> Result<LessSafeKey, StoreError> {
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| StoreError::Vault { what: "a key cannot be used" })?;
    Ok(LessSafeKey::new(key))
}

fn tampered() -> StoreError {
    StoreError::Vault { what: "a sealed secret does not open: its record was changed, moved or damaged; set it anew" }
}
