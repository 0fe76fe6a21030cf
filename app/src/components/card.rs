//! A page that asks before something is done, and the page in its place when it can't be done.

use domain::{ErrorCode, input::Act, user::input::confirm};
use leptos::prelude::*;

use super::{act_form::act_form, as_code::CodeFold, field::FormError};
use crate::{as_code::AsCode, request::RequestContext};

/// A question with a button.
pub struct Card {
    /// The question.
    pub title: String,
    /// The button's label; none when there is nothing to do any more.
    pub button: Option<&'static str>,
    /// Whether something stops working.
    pub destroys: bool,
    /// The same by program.
    pub code: AsCode,
    /// What it will do.
    pub words: AnyView,
    /// What can be chosen.
    pub fields: AnyView,
}

impl Card {
    /// The card of an operation. `hidden`: its arguments that the person doesn't see. `back`: where Cancel and a success lead.
    pub fn view<I: Act>(self, request: &RequestContext, hidden: &[(&'static str, String)], back: &str) -> AnyView {
        let back = back.to_owned();
        self.around(request, &back.clone(), |contents| act_form::<I>(request, &back, hidden, contents))
    }

    /// The card of a plain form, posted to `action`: for what isn't a server function.
    pub fn plain(self, request: &RequestContext, action: &str, back: &str) -> AnyView {
        let action = action.to_owned();
        self.around(request, back, |contents| view! { <form method="post" action=action>{contents}</form> }.into_any())
    }

    fn around(self, request: &RequestContext, back: &str, form: impl FnOnce(AnyView) -> AnyView) -> AnyView {
        let error = Signal::stored(request.form.error.clone());
        let class = if self.destroys { "button destroy" } else { "button primary" };
        let button = self.button.map(|label| view! { <button type="submit" class=class>{label}</button> });
        let contents = view! {
            {self.fields}
            <div class="buttons"><a class="button" href=back.to_owned() data-close="" autofocus>"Cancel"</a>{button}</div>
        };
        view! {
            <div class="card" data-light="">
                <h1 id="card-title">{self.title}</h1>
                {self.words}
                <FormError error fields=&confirm::FIELDS />
                {form(contents.into_any())}
                <CodeFold code=self.code public_url=request.public_url.clone() />
            </div>
        }
        .into_any()
    }
}

/// In the place of a card whose act can't be done: why, and the way back. A form that was sent all the same has the service's
/// own message. The way is a plain link in a dialog too, since the page under it is older.
pub fn unfit_card(
    request: &RequestContext,
    title: String,
    reason: String,
    (back, label): (&str, &'static str),
) -> AnyView {
    let refusal = request.form.error.as_ref().filter(|error| error.code == ErrorCode::Conflict);
    let role = refusal.map(|_| "alert");
    let words = refusal.map_or(reason, |error| error.message.clone());
    view! {
        <div class="card" data-light="">
            <h1 id="card-title">{title}</h1>
            <p role=role>{words}</p>
            <div class="buttons"><a class="button" href=back.to_owned() autofocus>{label}</a></div>
        </div>
    }
    .into_any()
}
