//! The arguments of the operations on service accounts.

use chrono::{DateTime, Utc};

use super::{account::ServiceAccount, act::AccountAct, query::AccountQuery};
use crate::{
    ApiError, Name, Operation, Page, Role, ServiceAccountId,
    input::{Act, Changed, forms, inputs, refuse, wrong},
    outcome::{Notice, Outcome},
};

forms! {
    /// Create a service account.
    CreateAccount for CreateServiceAccount -> Changed {
        /// What to call it: see [`Name`].
        name: String,
        /// The account's role; Administrator, when `None`. A form makes the person choose.
        role: Option<Role>,
        /// A UUID: the same one twice makes one account.
        idempotency_key: Option<String>,
    }
    /// Give a service account another name.
    RenameAccount for RenameServiceAccount -> Changed {
        /// The account.
        account: ServiceAccountId,
        /// The new name: see [`Name`].
        name: String,
    }
    /// Give a service account, and all its keys, another role.
    ChangeAccountRole for ChangeServiceAccountRole -> Changed {
        /// The account.
        account: ServiceAccountId,
        /// The new role.
        role: Option<Role>,
    }
    /// Stop a service account and all its keys until it is resumed.
    SuspendAccount for SuspendServiceAccount -> Changed {
        /// The account.
        account: ServiceAccountId,
    }
    /// Let a suspended service account's keys work again.
    ResumeAccount for ResumeServiceAccount -> Changed {
        /// The account.
        account: ServiceAccountId,
    }
    /// Delete a service account and revoke all its keys.
    DeleteAccount for DeleteServiceAccount -> Changed {
        /// The account.
        account: ServiceAccountId,
        /// The account's name, as the form asks a person to type it when the account was used in the past 24 hours.
        confirmation: Option<String>,
    }
}

inputs! {
    /// One page of the tenant's service accounts.
    ListAccounts for ListServiceAccounts -> Page<ServiceAccount> {
        /// Which.
        query: AccountQuery,
    }
    /// One service account.
    GetAccount for GetServiceAccount -> ServiceAccount {
        /// The account.
        account: ServiceAccountId,
    }
}

fn noticed(act: AccountAct, account: &Changed) -> Outcome {
    Notice::named(act.operation(), account.name.clone()).into()
}

impl Act for CreateAccount {
    fn check(&self, _: DateTime<Utc>) -> Result<(), ApiError> {
        refuse([wrong("name", Name::parse(&self.name))])
    }

    fn outcome(account: &Changed) -> Outcome {
        let notice = Notice::named(Operation::CreateServiceAccount, account.name.clone());
        Outcome { created: Some(account.id.clone()), ..notice.into() }
    }
}

impl Act for RenameAccount {
    fn check(&self, _: DateTime<Utc>) -> Result<(), ApiError> {
        refuse([wrong("name", Name::parse(&self.name))])
    }

    fn outcome(account: &Changed) -> Outcome {
        noticed(AccountAct::Rename, account)
    }
}

impl Act for ChangeAccountRole {
    fn check(&self, _: DateTime<Utc>) -> Result<(), ApiError> {
        crate::tenant::chosen_role(self.role).map(drop)
    }

    fn outcome(account: &Changed) -> Outcome {
        noticed(AccountAct::ChangeRole, account)
    }
}

impl Act for SuspendAccount {
    fn outcome(account: &Changed) -> Outcome {
        noticed(AccountAct::Suspend, account)
    }
}

impl Act for ResumeAccount {
    fn outcome(account: &Changed) -> Outcome {
        noticed(AccountAct::Resume, account)
    }
}

impl Act for DeleteAccount {
    fn outcome(account: &Changed) -> Outcome {
        noticed(AccountAct::Delete, account)
    }
}
