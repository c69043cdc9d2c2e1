use super::*;
use crate::tests::{Home, START};

const TEXT: &str = "sk-live-0123456789abcdef";

async fn put(vault: &Vault, name: &str) -> SecretInfo {
    vault.put("acme", "provider_key", name, &Secret::new(format!("{TEXT}-{name}")), START).await.unwrap()
}

async fn get(vault: &Vault, name: &str) -> String {
    vault.get("acme", "provider_key", name).await.unwrap().unwrap().reveal().to_owned()
}

fn hex_key(digit: char) -> Secret {
    Secret::new(digit.to_string().repeat(64))
}

#[tokio::test]
async fn a_secret_comes_back_as_it_was_put() {
    let home = Home::new().await;
    let vault = home.store.vault().unwrap();
    put(&vault, "openai").await;
    assert_eq!(get(&vault, "openai").await, format!("{TEXT}-openai"));
    assert!(vault.get("other", "provider_key", "openai").await.unwrap().is_none());
    let after_restart = crate::Store::open(&home.dir).await.unwrap().vault().unwrap();
    assert_eq!(get(&after_restart, "openai").await, format!("{TEXT}-openai"));
}

#[tokio::test]
async fn a_listing_shows_a_fingerprint_and_four_characters() {
    let home = Home::new().await;
    let vault = home.store.vault().unwrap();
    let (one, two) = (put(&vault, "one").await, put(&vault, "two").await);
    assert_eq!((&*one.last4, &*two.last4), ("-one", "-two"));
    assert_ne!(one.fingerprint, two.fingerprint);
    let short = vault.put("acme", "config", "short", &Secret::new("hunter2"), START).await.unwrap();
    assert_eq!(short.last4, "");
    assert!(!serde_json::to_string(&vault.list(None).await.unwrap()).unwrap().contains("sk-live"));
}

#[tokio::test]
async fn a_replaced_secret_keeps_its_id() {
    let home = Home::new().await;
    let vault = home.store.vault().unwrap();
    let first = put(&vault, "openai").await;
    let second = vault.put("acme", "provider_key", "openai", &Secret::new("another"), START + 1).await.unwrap();
    assert_eq!((first.id, second.created_unix_ms, second.changed_unix_ms), (second.id, START, START + 1));
    assert_eq!(get(&vault, "openai").await, "another");
}

#[tokio::test]
async fn no_byte_of_a_secret_or_a_key_is_in_the_database() {
    let home = Home::new().await;
    put(&home.store.vault().unwrap(), "openai").await;
    let keys = std::fs::read_to_string(home.dir.master_keys()).unwrap();
    home.store.close().await;
    for file in std::fs::read_dir(home.dir.path()).unwrap().map(|file| file.unwrap().path()) {
        if file.is_dir() || file == home.dir.master_keys() {
            continue;
        }
        let bytes = std::fs::read(&file).unwrap();
        for needle in [TEXT.as_bytes(), keys.trim().as_bytes()] {
            assert!(!bytes.windows(needle.len()).any(|window| window == needle), "{}", file.display());
        }
    }
}

#[tokio::test]
async fn a_ciphertext_in_another_row_opens_nothing() {
    let home = Home::new().await;
    let vault = home.store.vault().unwrap();
    put(&vault, "one").await;
    put(&vault, "two").await;
    let swap = "UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE name = 'one') WHERE name = 'two'";
    sqlx::query(swap).execute(&home.store.pool).await.unwrap();
    assert!(matches!(vault.get("acme", "provider_key", "two").await, Err(StoreError::Vault { .. })));
    sqlx::query("UPDATE secrets SET organisation = 'other'").execute(&home.store.pool).await.unwrap();
    assert!(matches!(vault.get("other", "provider_key", "one").await, Err(StoreError::Vault { .. })));
}

#[tokio::test]
async fn a_changed_byte_anywhere_is_an_error_and_never_a_panic() {
    let home = Home::new().await;
    let vault = home.store.vault().unwrap();
    put(&vault, "one").await;
    let sealed: Vec<u8> = sqlx::query_scalar("SELECT sealed FROM secrets").fetch_one(&home.store.pool).await.unwrap();
    let mut broken: Vec<Vec<u8>> = (0..sealed.len())
        .map(|place| {
            let mut other = sealed.clone();
            other[place] ^= 1;
            other
        })
        .collect();
    broken.extend((0..sealed.len()).map(|length| sealed[..length].to_vec()));
    for bytes in broken {
        sqlx::query("UPDATE secrets SET sealed = ?").bind(&bytes).execute(&home.store.pool).await.unwrap();
        assert!(vault.get("acme", "provider_key", "one").await.is_err());
    }
}

#[tokio::test]
async fn rotation_wraps_every_record_anew_and_drops_the_old_key() {
    let home = Home::new().await;
    let vault = home.store.vault().unwrap();
    for n in 0..250 {
        put(&vault, &n.to_string()).await;
    }
    let before = vault.list(None).await.unwrap()[0].master_key.clone();
    let rotated = vault.rotate().await.unwrap();
    assert_eq!((rotated.rewrapped, rotated.retired), (250, vec![before]));
    assert!(vault.list(None).await.unwrap().iter().all(|secret| secret.master_key == rotated.master_key));
    assert_eq!(get(&vault, "249").await, format!("{TEXT}-249"));
    assert_eq!(std::fs::read_to_string(home.dir.master_keys()).unwrap().lines().count(), 1);
}

#[tokio::test]
async fn a_gateway_that_runs_while_another_process_rotates_reads_and_writes_on() {
    let home = Home::new().await;
    let vault = home.store.vault().unwrap();
    put(&vault, "before").await;
    crate::Store::open(&home.dir).await.unwrap().vault().unwrap().rotate().await.unwrap();
    assert_eq!(get(&vault, "before").await, format!("{TEXT}-before"));
    crate::Store::open(&home.dir).await.unwrap().vault().unwrap().rotate().await.unwrap();
    put(&vault, "after").await;
    let fresh = crate::Store::open(&home.dir).await.unwrap().vault().unwrap();
    assert_eq!(get(&fresh, "after").await, format!("{TEXT}-after"));
}

#[tokio::test]
async fn an_interrupted_rotation_goes_on_with_the_key_it_had_made() {
    let home = Home::new().await;
    let vault = home.store.vault().unwrap();
    put(&vault, "one").await;
    let begun = vault.keys.reload().unwrap().with_new(&home.dir).unwrap();
    let rotated = vault.rotate().await.unwrap();
    assert_eq!((rotated.master_key, rotated.rewrapped), (begun.current().id(), 1));
    assert_eq!(get(&vault, "one").await, format!("{TEXT}-one"));
}

#[tokio::test]
async fn the_configuration_may_take_over_from_the_data_folder_and_change_its_key() {
    let home = Home::new().await;
    put(&home.store.vault().unwrap(), "one").await;
    let open = |current: char, old: Option<char>| {
        let keys = MasterKeys { current: Some(hex_key(current)), old: old.map(hex_key).into_iter().collect() };
        let dir = home.dir.clone();
        async move { crate::Store::open(&dir).await.unwrap().unlock(keys).unwrap() }
    };
    let first = open('a', None).await;
    assert_eq!(first.rotate().await.unwrap().rewrapped, 1);
    assert!(!home.dir.master_keys().exists());
    let second = open('b', Some('a')).await;
    assert_eq!(get(&second, "one").await, format!("{TEXT}-one"));
    assert_eq!(second.rotate().await.unwrap().rewrapped, 1);
    assert_eq!(get(&open('b', None).await, "one").await, format!("{TEXT}-one"));
    let lost = open('c', None).await.get("acme", "provider_key", "one").await;
    assert!(lost.unwrap_err().to_string().contains("master key that is not here"));
}

#[tokio::test]
async fn a_rotation_that_lacks_a_key_drops_nothing() {
    let home = Home::new().await;
    let dir = home.dir.clone();
    let keys = MasterKeys { current: Some(hex_key('a')), old: Vec::new() };
    put(&crate::Store::open(&dir).await.unwrap().unlock(keys).unwrap(), "one").await;
    let without = crate::Store::open(&dir).await.unwrap().vault().unwrap();
    assert!(without.rotate().await.is_err());
}

#[test]
fn a_master_key_that_is_none_is_refused_and_not_shown() {
    let home = tempfile::tempdir().unwrap();
    let dir = DataDir::create(home.path().join("data")).unwrap();
    let keys = MasterKeys { current: Some(Secret::new("password1")), old: Vec::new() };
    let error = VaultKeys::load(&dir, keys).unwrap_err().to_string();
    assert!(error.contains("64 hexadecimal digits") && !error.contains("password1"), "{error}");
}
