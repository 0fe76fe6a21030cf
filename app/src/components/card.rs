//! A page that asks before something is done, and the page that is shown instead when it can't be done. The question is
//! also the page's title in the browser, unless the page has set another one.

use domain::{ErrorCode, input::Act, user::input::confirm};
use leptos::prelude::*;

use super::{act_form::act_form, as_code::CodeFold, field::FormError};
use crate::words::labels;
use crate::{as_code::AsCode, request::RequestContext};

/// A question with a button that does it.
pub struct Card {
    /// The question.
    pub title: String,
    /// The button's label; `None` when there is nothing left to do.
    pub button: Option<&'static str>,
    /// Whether it can't be undone; the button then looks like a warning.
    pub destroys: bool,
    /// The same action as code.
    pub code: AsCode,
    /// What the action does.
    pub words: AnyView,
    /// The visible fields of the form.
    pub fields: AnyView,
}

impl Card {
    /// The card for the input `I`. `hidden`: names and values of hidden arguments. `back`: the path to go to after
    /// Cancel or success.
    pub fn view<I: Act>(self, request: &RequestContext, hidden: &[(&'static str, String)], back: &str) -> AnyView {
        let back = back.to_owned();
        self.around(request, &back.clone(), |contents| act_form::<I>(request, &back, hidden, contents))
    }

    /// The card of a plain HTML form that is posted to `action`, for actions that aren't server functions.
    pub fn plain(self, request: &RequestContext, action: &str, back: &str) -> AnyView {
        let action = action.to_owned();
        self.around(request, back, |contents| {
            view! {
                <form method="post" action=action>
                    {contents}
                </form>
            }
            .into_any()
        })
    }

    fn around(self, request: &RequestContext, back: &str, form: impl FnOnce(AnyView) -> AnyView) -> AnyView {
        request.set_title(self.title.trim_end_matches('?'));
        let error = Signal::stored(request.form.error.clone());
        let class = if self.destroys { "button destroy" } else { "button primary" };
        let button = self.button.map(|label| {
            view! {
                <button type="submit" class=class>
                    {label}
                </button>
            }
        });
        let contents = view! {
            {self.fields}
            <div class="buttons">
                <a class="button" href=back.to_owned() data-close="" autofocus>
                    {labels::cancel()}
                </a>
                {button}
            </div>
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

/// A page with a form. `above`: what is shown between the title and the form. `example`: the same action as code.
pub fn form_card(title: String, above: AnyView, form: AnyView, example: AsCode, public_url: String) -> AnyView {
    view! {
        <div class="card">
            <h1 id="card-title">{title}</h1>
            {above}
            {form}
            <CodeFold code=example public_url />
        </div>
    }
    .into_any()
}

/// Shown instead of a card when its act can't be done: the reason, and a link back. If the form was submitted anyway,
/// the service's own message is shown. The link is a plain link in a dialog too, because the page under the dialog is
/// outdated.
pub fn unfit_card(
    request: &RequestContext,
    title: String,
    reason: String,
    (back, label): (&str, &'static str),
) -> AnyView {
    request.set_title(&title);
    let refusal = request.form.error.as_ref().filter(|error| error.code == ErrorCode::Conflict);
    let role = refusal.map(|_| "alert");
    let words = refusal.map_or(reason, |error| error.message.clone());
    view! {
        <div class="card" data-light="">
            <h1 id="card-title">{title}</h1>
            <p role=role>{words}</p>
            <div class="buttons">
                <a class="button" href=back.to_owned() autofocus>
                    {label}
                </a>
            </div>
        </div>
    }
    .into_any()
}
