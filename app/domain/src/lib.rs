//! The domain types that the server and the browser share.
//!
//! Contains the types with their invariants and labels, and the arguments of every operation. There is no I/O, no clock
//! and no randomness here: functions that depend on the current time take it as an argument.

mod act;
pub mod agent;
pub mod api_key;
pub mod audit;
pub mod error;
pub mod flow_run;
pub mod id;
pub mod input;
pub mod name;
pub mod operation;
pub mod outcome;
pub mod page;
pub mod refusal;
pub mod scope;
pub mod secret;
pub mod service_account;
pub mod tenant;
pub mod time;
pub mod usage;
pub mod user;

pub use agent::{Agent, AgentScope, AgentState, Label};
pub use api_key::{
    act::{KeyAct, Unfit},
    expiry::Expiry,
    exposure::{Exposure, ExposureResponse},
    key::{ApiKey, IssuedKey, KeyState, LastUse, Owner, OwnerKind, Revocation, Successor, SuspendedBy, Suspension},
    limits::{AllowedAddresses, KeyLimits, RateLimit},
    policy::{KeyPolicy, KeyPolicyKind},
    query::{ExpiryWindow, InventoryFilter, InventoryQuery, KeyFilter, KeyQuery, KeySort},
    rotation::GracePeriod,
};
pub use audit::{AuditEntry, AuditQuery};
pub use error::{ApiError, ErrorCode, FieldError};
pub use flow_run::{FlowRun, ListFlowRuns, RunKey, RunPhase, StateType};
pub use id::{
    AgentId, AuditId, FlowId, FlowProjectId, FlowRunId, FlowTaskId, InvitationId, KeyId, ServiceAccountId, SessionId,
    TaskRunId, TenantId, UserId,
};
pub use name::Name;
pub use operation::Operation;
pub use outcome::{Notice, Outcome};
pub use page::{Cursor, Direction, Page, PageRequest, Total};
pub use refusal::{Endpoint, KeyRefusal, RefusalReason};
pub use scope::{Scope, ScopeGrant, ScopeSet};
pub use secret::Secret;
pub use service_account::{
    account::{AccountState, ServiceAccount},
    act::AccountAct,
    query::{AccountFilter, AccountQuery, AccountSort},
};
pub use tenant::{Membership, Role, Slug, Tenant, invitation::Invitation, overview::Overview};
pub use usage::{DayCount, HourCount, KeyClient, Recent, Usage};
pub use user::{Email, Member, MemberQuery, User, Viewer, act::MemberAct, session::BrowserSession};
