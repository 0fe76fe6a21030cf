//! An API that verifies keys in its own process. `LATCHKEY_KEY` is a key with the scope `latchkey:verify`:
//!
//! ```sh
//! LATCHKEY_URL=https://keys.example.com LATCHKEY_KEY=lks_… cargo run -p verifier --example axum
//! curl http://127.0.0.1:8080/invoices -H "Authorization: Bearer $TOKEN"
//! ```

use axum::{Router, routing::get};
use verifier::{Caller, Verifier, require_scope};

async fn hello(caller: Caller) -> String {
    format!("Hello, {}\n", caller.owner_name())
}

async fn invoices(caller: Caller) -> String {
    format!("{} may read invoices\n", caller.key_name())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, key) = (std::env::var("LATCHKEY_URL")?, std::env::var("LATCHKEY_KEY")?);
    let verifier = Verifier::builder(url, key).start()?;
    let app = Router::new()
        .route("/invoices", get(invoices).layer(require_scope("invoices:read")))
        .route("/", get(hello))
        .layer(verifier.layer());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    Ok(axum::serve(listener, app).await?)
}
