//! The arguments of the operations on service accounts.

use chrono::{DateTime, Utc};

use super::{account::ServiceAccount, act::AccountAct, query::AccountQuery};
use crate::{
    ApiError, Name, Operation, Page, Role, ServiceAccountId,
    input::{Act, Changed, forms, inputs, refuse, wrong},
    outcome::{Notice, Outcome},
};

forms! {
    /// Creates a service account.
    CreateAccount for CreateServiceAccount -> Changed {
        /// The account's name: see [`Name`].
        name: String,
        /// The account's role; Administrator, if `None`. The form requires a choice.
        role: Option<Role>,
        /// A UUID. Repeating a request with the same one doesn't create another account.
        idempotency_key: Option<String>,
    }
    /// Renames a service account.
    RenameAccount for RenameServiceAccount -> Changed {
        /// The account.
        account: ServiceAccountId,
        /// The new name: see [`Name`].
        name: String,
    }
    /// Changes the role of a service account, and so of all its keys.
    ChangeAccountRole for ChangeServiceAccountRole -> Changed {
        /// The account.
        account: ServiceAccountId,
        /// The new role.
        role: Option<Role>,
        /// The role that a form showed. If it is another one by now, nothing changes.
        before: Option<Role>,
    }
    /// Suspends a service account and all its keys until it is resumed.
    SuspendAccount for SuspendServiceAccount -> Changed {
        /// The account.
        account: ServiceAccountId,
    }
    /// Resumes a suspended service account and its keys.
    ResumeAccount for ResumeServiceAccount -> Changed {
        /// The account.
        account: ServiceAccountId,
    }
    /// Deletes a service account and revokes all its keys.
    DeleteAccount for DeleteServiceAccount -> Changed {
        /// The account.
        account: ServiceAccountId,
        /// The account's name, which the form asks the user to type if the account was used in the past 24 hours.
        confirmation: Option<String>,
    }
}

inputs! {
    /// Lists one page of the tenant's service accounts.
    ListAccounts for ListServiceAccounts -> Page<ServiceAccount> {
        /// Which accounts to return.
        query: AccountQuery,
    }
    /// Returns one service account.
    GetAccount for GetServiceAccount -> ServiceAccount {
        /// The account.
        account: ServiceAccountId,
    }
}

fn noticed(act: AccountAct, account: &Changed) -> Outcome {
    Notice::named(act.operation(), account.name.clone()).on(account.page.clone()).into()
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
