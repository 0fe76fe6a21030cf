//! Why an operation doesn't fit a thing as it is now: the words of the refusal, and of the page that would lead to it.

use chrono::{DateTime, Utc};
use domain::{AccountState, ApiError, ApiKey, ErrorCode, KeyState, Operation, ServiceAccount, time::utc_text};

/// What is said of a key that isn't in the overlap of a roll.
pub(crate) const NO_OVERLAP: &str =
    "This key isn't in the overlap of a roll: nothing is left to finish or to take back.";

/// Why an operation doesn't fit a key at `now`; none, when it fits. A question for pages: what fits can be refused all the same.
pub fn unfit_key(operation: Operation, key: &ApiKey, now: DateTime<Utc>) -> Option<String> {
    use Operation as O;
    let by_itself = key.suspended_at.is_some();
    let words = match (operation, key.state(now)) {
        (O::FinishRoll | O::ExtendRoll | O::CancelRoll, _) => {
            return key.overlap_until(now).is_none().then(|| NO_OVERLAP.to_owned());
        }
        (O::RevokeApiKey | O::RenameApiKey | O::SuspendApiKey | O::ResumeApiKey, KeyState::Revoked { at }) => {
            format!("This key was revoked already, on {}.", utc_text(at))
        }
        (O::RollApiKey, KeyState::Revoked { at }) => {
            format!("This key was revoked already, on {}. Create a new one.", utc_text(at))
        }
        (O::SuspendApiKey | O::ResumeApiKey | O::RollApiKey, KeyState::Expired { at }) => {
            format!("This key has expired, on {}. Create a new one.", utc_text(at))
        }
        (O::SuspendApiKey, KeyState::Suspended { .. }) if by_itself => "This key is suspended already.".to_owned(),
        (O::SuspendApiKey, KeyState::Suspended { .. }) => {
            "This key is suspended already, with its service account.".to_owned()
        }
        (O::ResumeApiKey, KeyState::Suspended { .. }) if !by_itself => {
            "The service account is suspended, and its keys with it. Resume the account.".to_owned()
        }
        (O::ResumeApiKey, KeyState::Active | KeyState::ExpiringSoon { .. }) => "This key isn't suspended.".to_owned(),
        (O::RollApiKey, KeyState::Suspended { .. }) if by_itself => {
            "This key is suspended. Resume it first, or create a new one.".to_owned()
        }
        (O::RollApiKey, KeyState::Suspended { .. }) => {
            "The service account is suspended, and its keys with it. Resume the account first.".to_owned()
        }
        (O::RollApiKey, KeyState::Active | KeyState::ExpiringSoon { .. }) => {
            let hint = &key.replaced_by.as_ref()?.hint;
            format!("This key is being rolled already: {hint}… takes its place. Finish or take back that roll first.")
        }
        _ => return None,
    };
    Some(words)
}

/// The refusal of an operation that a key's row didn't let be done.
pub(crate) fn refuse_key(operation: Operation, key: &ApiKey, now: DateTime<Utc>) -> ApiError {
    let what = if operation == Operation::RollApiKey { "rolled" } else { "changed" };
    let words = unfit_key(operation, key, now);
    ApiError::new(ErrorCode::Conflict, words.unwrap_or_else(|| format!("This key can't be {what} now. Try again.")))
}

/// Why an operation doesn't fit a service account; none, when it fits. As [`unfit_key`].
pub fn unfit_account(operation: Operation, account: &ServiceAccount) -> Option<&'static str> {
    match (operation, account.state()) {
        (Operation::DeleteServiceAccount, AccountState::Deleted { .. }) => {
            Some("This service account was deleted already.")
        }
        (_, AccountState::Deleted { .. }) => Some("This service account was deleted."),
        (Operation::SuspendServiceAccount, AccountState::Suspended { .. }) => {
            Some("This service account is suspended already.")
        }
        (Operation::ResumeServiceAccount, AccountState::Active) => Some("This service account isn't suspended."),
        _ => None,
    }
}

/// The refusal of an operation that an account's row didn't let be done.
pub(crate) fn refuse_account(operation: Operation, account: &ServiceAccount) -> ApiError {
    let words = unfit_account(operation, account);
    ApiError::new(ErrorCode::Conflict, words.unwrap_or("This service account can't be changed now. Try again."))
}
