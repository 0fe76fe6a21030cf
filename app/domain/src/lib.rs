//! The words of Latchkey that the server and the browser share.
//!
//! Types, their invariants and their wording live here. No I/O, no clock and no randomness: whoever
//! asks about time passes the time.

pub mod agent;
pub mod api_key;
pub mod audit;
pub mod error;
pub mod evidence;
pub mod id;
pub mod invitation;
pub mod name;
pub mod operation;
pub mod page;
pub mod policy;
pub mod roll;
pub mod secret;
pub mod service_account;
pub mod session;
pub mod tenant;
pub mod time;
pub mod user;

pub use agent::{Agent, AgentScope, AgentState, Label};
pub use api_key::{ApiKey, IssuedKey, KeyFilter, KeyQuery, KeySort, KeyState, LastUse, Owner, OwnerKind, Successor};
pub use audit::{AuditLine, AuditQuery, Outcome};
pub use error::{ApiError, ErrorCode, FieldError};
pub use evidence::{HourCount, KeyClient, Recent, Usage};
pub use id::{AgentId, AuditId, InvitationId, KeyId, ServiceAccountId, SessionId, TenantId, UserId};
pub use invitation::Invitation;
pub use name::Name;
pub use operation::Operation;
pub use page::{Cursor, Direction, Page, PageRequest};
pub use policy::{InventoryFilter, InventoryQuery, PolicyKind, TenantPolicy};
pub use roll::Overlap;
pub use secret::Secret;
pub use service_account::{AccountFilter, AccountQuery, AccountSort, AccountState, ServiceAccount};
pub use session::BrowserSession;
pub use tenant::{Membership, Role, Slug, Tenant};
pub use time::Expiry;
pub use user::{Email, Member, MemberQuery, User, Viewer};
