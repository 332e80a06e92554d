//! Where keys and revocations come from, while a service runs.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use access::{Issuer, TokenOrder};
use decider::{Role, Service};
use parking_lot::Mutex;
use service_kit::access::{Guard, now_secs};
use tonic::Code;

use crate::support::{Door, Site, grant, issuer, token, token_by, told};

const STATUS: &str = "/baogong.admin.v1.AdminService/GetStatus";

fn operator(issuer: &Issuer) -> String {
    token_by(issuer, grant(Role::Operator))
}

/// Two guards: the second trusts another set, as after a restart.
#[tokio::test]
async fn a_file_of_keys_is_read_again_for_an_unknown_key() {
    let mut site = Site::new();
    // Not before so long a time: the floor holds.
    site.options.jwks_refetch_min_secs = 3_600;
    let mut door = site.door().await;
    let new = Issuer::new([8; 32]);
    site.write("jwks.json", &new.jwks());
    let early = told(door.ask(STATUS, &operator(&new), &[]).await);
    assert_eq!(
        early,
        (Code::Unauthenticated, "TOKEN_KEY_UNKNOWN".to_owned())
    );
    assert!(door.ask(STATUS, &operator(&issuer()), &[]).await.is_ok());
    let mut door = site.door().await;
    assert!(door.ask(STATUS, &operator(&new), &[]).await.is_ok());
    let late = told(door.ask(STATUS, &operator(&issuer()), &[]).await);
    assert_eq!(late.1, "TOKEN_KEY_UNKNOWN");
}

/// An issuer's address that counts how often it was asked.
struct Address {
    url: String,
    asked: Arc<AtomicUsize>,
    says: Arc<Mutex<String>>,
}

impl Address {
    async fn start(says: &str) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let says = Arc::new(Mutex::new(says.to_owned()));
        let (count, text) = (Arc::clone(&asked), Arc::clone(&says));
        let router = axum::Router::new().route(
            "/jwks",
            axum::routing::get(move || async move {
                count.fetch_add(1, Ordering::SeqCst);
                text.lock().clone()
            }),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let url = format!("http://{}/jwks", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, asked, says }
    }
}

fn site_at(url: &str, refetch_min_secs: u64) -> Site {
    let mut site = Site::new();
    site.options.jwks_file = std::path::PathBuf::new();
    site.options.jwks_url = url.to_owned();
    site.options.jwks_refetch_min_secs = refetch_min_secs;
    site
}

#[tokio::test]
async fn keys_rotate_at_an_address_and_the_last_good_ones_stay() {
    let address = Address::start(&issuer().jwks()).await;
    // Zero is refused in a configuration; here it stands for time gone by.
    let mut door = site_at(&address.url, 0).door().await;
    assert!(door.ask(STATUS, &operator(&issuer()), &[]).await.is_ok());
    *address.says.lock() = "out of order".to_owned();
    let new = Issuer::new([8; 32]);
    let unknown = told(door.ask(STATUS, &operator(&new), &[]).await);
    assert_eq!(unknown.1, "TOKEN_KEY_UNKNOWN");
    assert!(door.ask(STATUS, &operator(&issuer()), &[]).await.is_ok());
    *address.says.lock() = new.jwks();
    assert!(door.ask(STATUS, &operator(&new), &[]).await.is_ok());
    let old = told(door.ask(STATUS, &operator(&issuer()), &[]).await);
    assert_eq!(old.1, "TOKEN_KEY_UNKNOWN");
}

#[tokio::test]
async fn unknown_keys_do_not_make_it_ask_again_and_again() {
    let address = Address::start(&issuer().jwks()).await;
    let mut door = site_at(&address.url, 3_600).door().await;
    for seed in 10..40 {
        let told = told(
            door.ask(STATUS, &operator(&Issuer::new([seed; 32])), &[])
                .await,
        );
        assert_eq!(told.1, "TOKEN_KEY_UNKNOWN");
    }
    assert_eq!(address.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn without_keys_yet_it_says_so_and_goes_on_trying() {
    let address = Address::start("not yet").await;
    let mut door = site_at(&address.url, 0).door().await;
    let away = told(door.ask(STATUS, &operator(&issuer()), &[]).await);
    assert_eq!(away, (Code::Unavailable, "KEYS_AWAY".to_owned()));
    *address.says.lock() = issuer().jwks();
    assert!(door.ask(STATUS, &operator(&issuer()), &[]).await.is_ok());
}

#[tokio::test]
async fn a_file_that_cannot_be_used_refuses_the_start() {
    let site = Site::new();
    for (name, text, why) in [
        ("jwks.json", "{}", "this is no key set"),
        ("revoked", "everybody", "line 1"),
    ] {
        let good = std::fs::read_to_string(site.path(name)).expect("there");
        site.write(name, text);
        let error = Guard::open(Service::Order, &site.options)
            .await
            .err()
            .expect("refused");
        assert!(error.to_string().contains(why), "{error}");
        std::fs::remove_file(site.path(name)).expect("removed");
        let error = Guard::open(Service::Order, &site.options)
            .await
            .err()
            .expect("refused");
        assert!(error.to_string().contains("cannot be read"), "{error}");
        site.write(name, &good);
    }
}

#[tokio::test]
async fn revoked_tokens_are_refused() {
    let site = Site::new();
    let token = token(grant(Role::Operator));
    assert!(site.door().await.ask(STATUS, &token, &[]).await.is_ok());
    site.write("revoked", "token 01J0000000000000000000000A\n");
    let mut door: Door = site.door().await;
    let revoked = told(door.ask(STATUS, &token, &[]).await);
    assert_eq!(revoked, (Code::Unauthenticated, "TOKEN_REVOKED".to_owned()));
}

/// An OIDC issuer: its configuration, and its keys where that says.
struct Oidc {
    issuer: String,
    /// What it says of itself; and whether its keys are to be had.
    says: Arc<Mutex<String>>,
    keys: Arc<Mutex<Option<String>>>,
}

impl Oidc {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let issuer = format!("http://{}/city", listener.local_addr().expect("an address"));
        let said = format!(r#"{{"issuer":"{issuer}","jwks_uri":"{issuer}/keys"}}"#);
        let says = Arc::new(Mutex::new(said));
        let keys = Arc::new(Mutex::new(Some(crate::support::issuer().jwks())));
        let (text, set) = (Arc::clone(&says), Arc::clone(&keys));
        let away = axum::http::StatusCode::SERVICE_UNAVAILABLE;
        let router = axum::Router::new()
            .route(
                "/city/.well-known/openid-configuration",
                axum::routing::get(move || async move { text.lock().clone() }),
            )
            .route(
                "/city/keys",
                axum::routing::get(move || async move { set.lock().clone().ok_or(away) }),
            );
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { issuer, says, keys }
    }

    fn site(&self) -> Site {
        let mut site = site_at("", 0);
        site.options.issuer.clone_from(&self.issuer);
        site
    }

    fn token(&self, by: &Issuer) -> String {
        by.issue(&TokenOrder {
            issuer: &self.issuer,
            audience: "baogong",
            subject: "somebody",
            token_id: "01J0000000000000000000000A",
            now_secs: now_secs(),
            ttl_secs: 3_600,
            grant: grant(Role::Operator),
        })
    }
}

#[tokio::test]
async fn an_issuer_is_asked_where_its_keys_are_and_they_rotate() {
    let oidc = Oidc::start().await;
    let mut door = oidc.site().door().await;
    let old = oidc.token(&issuer());
    assert!(door.ask(STATUS, &old, &[]).await.is_ok());
    let new = Issuer::new([8; 32]);
    let rotated = oidc.token(&new);
    // Its keys are away: the last good ones stay.
    *oidc.keys.lock() = None;
    assert_eq!(
        told(door.ask(STATUS, &rotated, &[]).await).1,
        "TOKEN_KEY_UNKNOWN"
    );
    assert!(door.ask(STATUS, &old, &[]).await.is_ok());
    *oidc.keys.lock() = Some(new.jwks());
    assert!(door.ask(STATUS, &rotated, &[]).await.is_ok());
    // The token was checked before, and its key is gone since.
    assert_eq!(
        told(door.ask(STATUS, &old, &[]).await).1,
        "TOKEN_KEY_UNKNOWN"
    );
}

#[tokio::test]
async fn who_names_another_issuer_gives_no_keys() {
    let oidc = Oidc::start().await;
    let good = oidc.says.lock().clone();
    *oidc.says.lock() = good.replace("/city\",", "/town\",");
    let mut door = oidc.site().door().await;
    let away = told(door.ask(STATUS, &oidc.token(&issuer()), &[]).await);
    assert_eq!(away, (Code::Unavailable, "KEYS_AWAY".to_owned()));
    *oidc.says.lock() = good;
    assert!(door.ask(STATUS, &oidc.token(&issuer()), &[]).await.is_ok());
}
