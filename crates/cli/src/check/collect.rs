//! Every problem of a policy at once, where its reader stops at the first of the wrong form.
//!
//! Names that are given twice are found here, structure by the schema, meaning by the
//! compiler of the filter. For the compiler the policy is mended in a copy: what is wrong is
//! taken out, or replaced by something of the right type. This knows no field by name and
//! reads no message.

use std::collections::BTreeSet;

use keygate_core::Policy;
use keygate_core::config::{Environment, FORMATS};
use keygate_core::decision::Problem;

use super::structure::{Fault, Step, Wrong, faults};
use crate::document::{Member, Node, Value};
use crate::similar::did_you_mean;

/// So many rounds of mending are enough: each goes one level deeper, or leaves a field.
const MOST: usize = 100;

/// What is tried where the reader takes something else than the schema says.
const STAND_INS: [&str; 6] = ["\"\"", "{}", "[]", "0", "1", "false"];

/// A problem, and its byte position.
pub struct Found {
    pub at: usize,
    pub path: String,
    pub message: String,
}

/// The problems of a policy that does not hold, in the order of the text, and whether
/// these are all.
pub fn collect(root: &Node, environment: Environment<'_>) -> (Vec<Found>, bool) {
    let mut copy = Copy {
        root: root.clone(),
        mended: Vec::new(),
        found: Vec::new(),
    };
    copy.take_out_duplicates();
    copy.mend_structure(environment);
    let is_all = copy.compile(environment);
    copy.found.sort_by_key(|it| it.at);
    (copy.found, is_all)
}

/// The policy on its way to a good form.
struct Copy {
    root: Node,
    /// Paths of what is no longer as it was written.
    mended: Vec<String>,
    found: Vec<Found>,
}

impl Copy {
    fn take_out_duplicates(&mut self) {
        let Self { root, found, .. } = self;
        take_out_duplicates(root, "", found);
    }

    fn mend_structure(&mut self, environment: Environment<'_>) {
        for _ in 0..MOST {
            let wrong = faults(&self.root.to_value());
            let is_missing = |it: &Wrong| matches!(it.fault, Fault::Missing(_));
            let (missing, others): (Vec<_>, Vec<_>) = wrong.into_iter().partition(is_missing);
            let now = match others.is_empty() {
                true => self.missing_now(missing, environment),
                false => others,
            };
            if now.is_empty() {
                return;
            }
            for wrong in now {
                self.tell(&wrong);
                self.mend(wrong);
            }
        }
    }

    /// Of missing fields those that the reader needs. The schema calls some more required
    /// whose lack the compiler explains; it may do so only once the others are there.
    fn missing_now(&self, missing: Vec<Wrong>, environment: Environment<'_>) -> Vec<Wrong> {
        let problems = self.problems(environment);
        let is_explained = |wrong: &Wrong| match &wrong.fault {
            Fault::Missing(name) => {
                let path = below(&path_of(&wrong.steps), name);
                problems
                    .iter()
                    .any(|it| it.place.is_none() && it.path == path)
            }
            _ => false,
        };
        let is_needed = |wrong: &Wrong| {
            let path = path_of(&wrong.steps);
            let needs = |it: &Problem| it.place.is_some() && it.path == path;
            problems.iter().any(needs)
        };
        let is_hidden = |problem: &Problem| problem.place.is_some();
        let left: Vec<Wrong> = missing.into_iter().filter(|it| !is_explained(it)).collect();
        let (now, later): (Vec<_>, Vec<_>) = left.into_iter().partition(is_needed);
        match now.is_empty() && problems.iter().any(is_hidden) {
            true => later,
            false => now,
        }
    }

    fn problems(&self, environment: Environment<'_>) -> Vec<Problem> {
        let parsed = Policy::parse(self.root.to_string().as_bytes(), environment);
        parsed.err().unwrap_or_default()
    }

    fn tell(&mut self, wrong: &Wrong) {
        let path = path_of(&wrong.steps);
        let Some(node) = follow(&mut self.root, &wrong.steps) else {
            return;
        };
        let (at, path) = match &wrong.fault {
            Fault::Unknown(name, _) => {
                let member = node.member(name);
                (member.map_or(node.at, |it| it.at), below(&path, name))
            }
            Fault::Missing(_) | Fault::Instead(_) | Fault::Held(_) => (node.at, path),
            Fault::Name(_) => {
                let above = wrong.steps.split_last();
                let member = above.and_then(|(last, above)| {
                    let Step::Member(name) = last else {
                        return None;
                    };
                    follow(&mut self.root, above)?.member(name)
                });
                (member.map_or(0, |it| it.at), path)
            }
        };
        let is_new = !self.mended.iter().any(|it| is_within(&path, it));
        if is_new {
            self.found.push(Found {
                at,
                path,
                message: wrong.message.clone(),
            });
        }
    }

    fn mend(&mut self, wrong: Wrong) {
        let Wrong {
            mut steps, fault, ..
        } = wrong;
        match fault {
            Fault::Unknown(name, _) => {
                if let Some(Value::Object(members)) =
                    follow(&mut self.root, &steps).map(|it| &mut it.value)
                {
                    members.retain(|it| it.name != name);
                }
                return;
            }
            Fault::Missing(name) => {
                let Some(node) = follow(&mut self.root, &steps) else {
                    return;
                };
                node.add(&name);
                self.mended.push(below(&path_of(&steps), &name));
                return;
            }
            Fault::Name(value) | Fault::Held(value) => {
                steps.pop();
                self.put(&steps, &value.to_string());
            }
            Fault::Instead(value) => self.put(&steps, &value.to_string()),
        }
        self.mended.push(path_of(&steps));
    }

    fn put(&mut self, steps: &[Step], text: &str) {
        if let (Some(node), Some(stand_in)) = (follow(&mut self.root, steps), Node::parse(text)) {
            node.value = stand_in.value;
        }
    }

    /// What the filter says of the copy; whether it is all that it would say.
    fn compile(&mut self, environment: Environment<'_>) -> bool {
        let mut told = BTreeSet::new();
        for round in 0..MOST {
            let now = self.problems(environment);
            for problem in &now {
                let is_ours = !self.mended.iter().any(|it| is_within(&problem.path, it));
                let is_new = told.insert((problem.path.clone(), problem.wrong.to_string()));
                if is_ours && (is_new || round == 0) {
                    let found = self.place(problem);
                    self.found.push(found);
                }
            }
            // The reader is stricter than the schema somewhere, and hides all else.
            let [
                Problem {
                    path,
                    place: Some(_),
                    ..
                },
            ] = now.as_slice()
            else {
                return true;
            };
            let (steps, rest) = self.root.resolve(path);
            let before = self.root.clone();
            let is_mended = rest.is_empty()
                && STAND_INS.iter().any(|text| {
                    self.root.clone_from(&before);
                    let stand_in = Node::parse(text);
                    if let (Some(node), Some(it)) = (self.root.follow_mut(&steps), stand_in) {
                        node.value = it.value;
                    }
                    !self
                        .problems(environment)
                        .iter()
                        .any(|it| it.place.is_some())
                });
            if !is_mended {
                // Of a provider: others were read.
                return true;
            }
            self.mended.push(path.clone());
        }
        false
    }

    fn place(&self, problem: &Problem) -> Found {
        let (steps, _) = self.root.resolve(&problem.path);
        let node = self.root.follow(&steps);
        // Of all names, only formats are not in the schema, but looked up by the compiler.
        let is_format = problem.path.starts_with("providers.") && problem.path.ends_with(".format");
        let format = node.filter(|_| is_format).map(Node::to_value);
        let format = format.as_ref().and_then(|it| it.as_str());
        let meant = did_you_mean(format.unwrap_or_default(), FORMATS.iter().copied());
        Found {
            at: node.map_or(0, |node| node.at),
            path: problem.path.clone(),
            message: format!("{}{meant}", problem.wrong),
        }
    }
}

/// Leaves the first member of each name, and tells the others.
fn take_out_duplicates(node: &mut Node, path: &str, found: &mut Vec<Found>) {
    match &mut node.value {
        Value::Object(members) => {
            let mut names = BTreeSet::new();
            members.retain(|member| {
                let is_first = names.insert(member.name.clone());
                if !is_first {
                    found.push(Found {
                        at: member.at,
                        path: path.to_owned(),
                        message: format!("\"{}\" is given more than once", member.name),
                    });
                }
                is_first
            });
            for Member { name, node, .. } in members {
                take_out_duplicates(node, &below(path, name), found);
            }
        }
        Value::Array(items) => {
            for (index, node) in items.iter_mut().enumerate() {
                take_out_duplicates(node, &format!("{path}[{index}]"), found);
            }
        }
        Value::Leaf(_) => {}
    }
}

fn follow<'n>(root: &'n mut Node, steps: &[Step]) -> Option<&'n mut Node> {
    steps
        .iter()
        .try_fold(root, |node, step| match (&mut node.value, step) {
            (Value::Object(members), Step::Member(name)) => {
                let member = members.iter_mut().find(|it| it.name == *name);
                member.map(|it| &mut it.node)
            }
            (Value::Array(items), Step::Item(index)) => items.get_mut(*index),
            _ => None,
        })
}

fn path_of(steps: &[Step]) -> String {
    steps.iter().fold(String::new(), |path, step| match step {
        Step::Member(name) => below(&path, name),
        Step::Item(index) => format!("{path}[{index}]"),
    })
}

fn below(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

/// Whether a path is `above` or something in it.
fn is_within(path: &str, above: &str) -> bool {
    let rest = path.strip_prefix(above);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests;
