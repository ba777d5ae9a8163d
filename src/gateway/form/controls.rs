//! Each parameter as a control of a page, with its label, hint and fault tied to it. Pure.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::content::form::{Choice, Field, Initial, Input, Numbers, Problem, Sent, control, second_control};
use crate::gateway::pages::html::escape;

/// More choices than this are not all seen at once.
const OPEN: usize = 20;
/// Lines of a list of which several can be chosen.
const ROWS: usize = 12;

/// One parameter on its way into a page.
struct Writer<'a> {
    page: &'a mut String,
    id: String,
    field: &'a Field,
    sent: &'a Sent,
    problem: Option<&'a Problem>,
    hint: Option<String>,
}

/// Adds a parameter to a page.
pub(super) fn write(page: &mut String, at: usize, field: &Field, sent: &Sent, problem: Option<&Problem>) {
    let mut writer = Writer {
        page,
        id: control(at),
        field,
        sent,
        problem,
        hint: hint(field),
    };
    writer.whole(&second_control(at));
}

/// What is said of a parameter besides its label.
fn hint(field: &Field) -> Option<String> {
    let mut hints: Vec<String> = field.help.iter().map(|help| escape(help)).collect();
    match &field.initial {
        Initial::Code(code) => hints.push(format!(
            "Left empty, the document uses its own value: <code>{}</code>",
            escape(code)
        )),
        Initial::Nothing
            if !matches!(
                field.input,
                Input::File { .. } | Input::Password | Input::Choice { .. }
            ) =>
        {
            hints.push("Can be left empty.".to_owned());
        }
        _ => {}
    }
    let form = match &field.input {
        Input::Lines => "One text a line.",
        Input::Numbers => "One number a line.",
        Input::Json => "As JSON.",
        Input::Literal => {
            "A number, <code>True</code>, <code>False</code>, <code>None</code>, a list in brackets; anything else is text."
        }
        Input::Password => "It is not kept with the result. Left empty, the document uses its own.",
        Input::File { .. } => "Without a file, the document uses its own.",
        _ => "",
    };
    if !form.is_empty() {
        hints.push(form.to_owned());
    }
    (!hints.is_empty()).then(|| hints.join(" "))
}

impl Writer<'_> {
    fn put(&mut self, text: &str) {
        self.page.push_str(text);
    }

    fn whole(&mut self, second: &str) {
        let field = self.field;
        match &field.input {
            Input::Choice {
                choices,
                is_open: true,
            } if choices.len() <= OPEN => self.group(choices, "radio"),
            Input::Several(choices) if choices.len() <= OPEN => self.group(choices, "checkbox"),
            Input::Choice { choices, .. } => self.labelled(|writer| writer.select(choices, false)),
            Input::Several(choices) => self.labelled(|writer| writer.select(choices, true)),
            Input::Span(numbers) => self.span(numbers, second),
            Input::Checkbox => self.checkbox(),
            Input::Slider(numbers) => self.labelled(|writer| writer.slider(numbers)),
            Input::Area | Input::Lines | Input::Numbers | Input::Json => self.labelled(Self::area),
            _ => self.labelled(Self::line),
        }
    }

    /// A control below its label.
    fn labelled(&mut self, control: impl FnOnce(&mut Self)) {
        let (id, label) = (self.id.clone(), escape(&self.field.label));
        self.put(&format!(
            "<div class=\"field\">\n<label for=\"{id}\">{label}</label>\n"
        ));
        control(self);
        self.notes();
        self.put("</div>\n");
    }

    /// Several controls below one heading.
    fn fieldset(&mut self, controls: impl FnOnce(&mut Self)) {
        let (id, label, tied) = (self.id.clone(), escape(&self.field.label), self.described());
        let wrong = if self.problem.is_some() { " wrong" } else { "" };
        self.put(&format!(
            "<fieldset class=\"field{wrong}\" id=\"{id}\" tabindex=\"-1\"{tied}>\n<legend>{label}</legend>\n"
        ));
        controls(self);
        self.notes();
        self.put("</fieldset>\n");
    }

    fn notes(&mut self) {
        let id = self.id.clone();
        if let Some(hint) = self.hint.clone() {
            self.put(&format!("<p class=\"hint\" id=\"{id}-hint\">{hint}</p>\n"));
        }
        if let Some(problem) = self.problem {
            let message = escape(&problem.message);
            self.put(&format!("<p class=\"error\" id=\"{id}-error\">{message}</p>\n"));
        }
    }

    /// What ties hint and fault to a control.
    fn tied(&self) -> String {
        let wrong = if self.problem.is_some() {
            " aria-invalid=\"true\""
        } else {
            ""
        };
        format!("{wrong}{}", self.described())
    }

    /// The same for a group of controls, which can not be wrong itself.
    fn described(&self) -> String {
        let id = &self.id;
        match (self.hint.is_some(), self.problem.is_some()) {
            (true, true) => format!(" aria-describedby=\"{id}-hint {id}-error\""),
            (true, false) => format!(" aria-describedby=\"{id}-hint\""),
            (false, true) => format!(" aria-describedby=\"{id}-error\""),
            (false, false) => String::new(),
        }
    }

    fn first(&self) -> String {
        escape(self.sent.first(&self.id))
    }

    /// A control of one line.
    fn line(&mut self) {
        let (kind, more) = match &self.field.input {
            Input::Number(numbers) => ("number", bounds(numbers, false)),
            Input::Date { first, last } => (
                "date",
                attributes(&[("min", first.as_deref()), ("max", last.as_deref())]),
            ),
            Input::Time => ("datetime-local", " step=\"1\"".to_owned()),
            Input::Password => ("password", " autocomplete=\"off\"".to_owned()),
            Input::File { accept } => ("file", attributes(&[("accept", accept.as_deref())])),
            _ => ("text", String::new()),
        };
        // A password is never shown again, and a file can not be.
        let value = match &self.field.input {
            Input::Password | Input::File { .. } => String::new(),
            _ => format!(" value=\"{}\"", self.first()),
        };
        let needed = match self.field.input {
            Input::Number(_) | Input::Date { .. } | Input::Time if !self.field.initial.may_stay() => {
                " required"
            }
            _ => "",
        };
        let (id, tied) = (self.id.clone(), self.tied());
        self.put(&format!(
            "<input type=\"{kind}\" id=\"{id}\" name=\"{id}\"{value}{more}{needed}{tied}>\n"
        ));
    }

    fn area(&mut self) {
        let (id, tied, text) = (self.id.clone(), self.tied(), self.first());
        let rows = text.lines().count().clamp(4, 16);
        // A line end behind the tag is no part of the text.
        self.put(&format!(
            "<textarea id=\"{id}\" name=\"{id}\" rows=\"{rows}\"{tied}>\n{text}</textarea>\n"
        ));
    }

    fn slider(&mut self, numbers: &Numbers) {
        let (id, tied, value, bounds) = (self.id.clone(), self.tied(), self.first(), bounds(numbers, true));
        let end = |end: Option<f64>| end.map_or(String::new(), |end| end.to_string());
        let (min, max) = (end(numbers.min), end(numbers.max));
        self.put(&format!(
            "<input type=\"range\" id=\"{id}\" name=\"{id}\" value=\"{value}\"{bounds}{tied}>\n\
             <div class=\"ends\"><span>{min}</span><output id=\"{id}-now\" for=\"{id}\" hidden></output><span>{max}</span></div>\n"
        ));
    }

    fn span(&mut self, numbers: &Numbers, second: &str) {
        let (id, bounds) = (self.id.clone(), bounds(numbers, false));
        let values = [self.first(), escape(self.sent.first(second))];
        self.fieldset(|writer| {
            writer.put("<div class=\"pair\">\n");
            for ((word, name), value) in [("From", id.as_str()), ("To", second)].into_iter().zip(values) {
                writer.put(&format!(
                    "<label>{word} <input type=\"number\" name=\"{name}\" value=\"{value}\"{bounds} required></label>\n"
                ));
            }
            writer.put("</div>\n");
        });
    }

    fn checkbox(&mut self) {
        let (id, tied, label) = (self.id.clone(), self.tied(), escape(&self.field.label));
        let checked = if self.sent.first(&id) == "true" {
            " checked"
        } else {
            ""
        };
        self.put(&format!(
            "<div class=\"field\">\n<label class=\"option\"><input type=\"checkbox\" id=\"{id}\" name=\"{id}\" value=\"true\"{checked}{tied}> {label}</label>\n"
        ));
        self.notes();
        self.put("</div>\n");
    }

    /// All choices at once.
    fn group(&mut self, choices: &[Choice], kind: &str) {
        let chosen = self.chosen();
        let id = self.id.clone();
        self.fieldset(|writer| {
            let mut group = None;
            for (place, choice) in choices.iter().enumerate() {
                if choice.group.is_some() && choice.group.as_ref() != group {
                    let name = escape(choice.group.as_deref().unwrap_or_default());
                    writer.put(&format!("<p class=\"group\">{name}</p>\n"));
                }
                group = choice.group.as_ref();
                let checked = if chosen.contains(&place.to_string()) { " checked" } else { "" };
                let label = escape(&choice.label);
                writer.put(&format!(
                    "<label class=\"option\"><input type=\"{kind}\" name=\"{id}\" value=\"{place}\"{checked}> {label}</label>\n"
                ));
            }
        });
    }

    fn select(&mut self, choices: &[Choice], is_several: bool) {
        let (id, tied, chosen) = (self.id.clone(), self.tied(), self.chosen());
        let several = if is_several {
            format!(" multiple size=\"{ROWS}\"")
        } else {
            String::new()
        };
        self.put(&format!("<select id=\"{id}\" name=\"{id}\"{several}{tied}>\n"));
        if !is_several && self.field.initial.may_stay() {
            self.put("<option value=\"\">(the document's own)</option>\n");
        }
        let mut group: Option<&String> = None;
        for (place, choice) in choices.iter().enumerate() {
            if choice.group.as_ref() != group {
                self.put(if group.is_some() { "</optgroup>\n" } else { "" });
                group = choice.group.as_ref();
                if let Some(name) = group {
                    self.put(&format!("<optgroup label=\"{}\">\n", escape(name)));
                }
            }
            let selected = if chosen.contains(&place.to_string()) {
                " selected"
            } else {
                ""
            };
            let label = escape(&choice.label);
            self.put(&format!("<option value=\"{place}\"{selected}>{label}</option>\n"));
        }
        self.put(if group.is_some() {
            "</optgroup>\n</select>\n"
        } else {
            "</select>\n"
        });
    }

    fn chosen(&self) -> BTreeSet<String> {
        let texts = self.sent.texts.get(&self.id);
        texts.into_iter().flatten().cloned().collect()
    }
}

fn bounds(numbers: &Numbers, is_slider: bool) -> String {
    let text = |number: Option<f64>| number.map(|number| number.to_string());
    let (min, max) = (text(numbers.min), text(numbers.max));
    let is_whole = |end: Option<f64>| end.is_none_or(|end| end.fract() == 0.0);
    // A browser moves a number to the next step, and the default has to stay what it is.
    let has_steps = is_slider && numbers.is_whole && is_whole(numbers.min) && is_whole(numbers.max);
    let usual = if has_steps { "1" } else { "any" };
    let step = text(numbers.step).unwrap_or_else(|| usual.to_owned());
    attributes(&[
        ("min", min.as_deref()),
        ("max", max.as_deref()),
        ("step", Some(&step)),
    ])
}

fn attributes(named: &[(&str, Option<&str>)]) -> String {
    let mut text = String::new();
    for (name, value) in named {
        if let Some(value) = value {
            // Writing to a string can not fail.
            let _ = write!(text, " {name}=\"{}\"", escape(value));
        }
    }
    text
}
