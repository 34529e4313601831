//! Every problem of a policy at once, where its reader stops at the first of the wrong shape.
//!
//! Whatever is of the wrong shape is told and then mended in a copy: taken out, or
//! replaced by something that the reader takes, until it reads all of it and says
//! what else is wrong. Only the reader judges, here as in the filter; so this knows
//! no field by name, and a new one needs nothing here.

use std::collections::VecDeque;

use keygate_core::config::Environment;
use keygate_core::decision::policy::Policy;
use keygate_core::decision::problem::Problem;

use crate::document::{Member, Node, Value};

/// So many are enough for one reading.
const MOST: usize = 100;

/// How deep something that is missing is made up.
const DEPTH: usize = 4;

/// How many things are tried in one place.
const TRIES: usize = 24;

/// What is tried where something is missing or wrong.
const STAND_INS: [&str; 5] = ["\"\"", "{}", "[]", "0", "false"];

/// A problem, and the byte at which it stands.
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
        environment,
        mended: Vec::new(),
    };
    let mut found = Vec::new();
    let mut is_all = false;
    for _ in 0..MOST {
        let problems = copy.problems();
        let Some(first) = problems.iter().find(|it| it.is_shape) else {
            let is_ours = |it: &&Problem| !copy.mended.iter().any(|at| is_within(&it.path, at));
            found.extend(problems.iter().filter(is_ours).map(|it| copy.place(it)));
            is_all = true;
            break;
        };
        found.push(copy.place(first));
        if !copy.mend(first, DEPTH) {
            let others = problems.iter().filter(|it| !it.is_shape);
            found.extend(others.map(|it| copy.place(it)));
            break;
        }
    }
    found.sort_by_key(|it| it.at);
    (found, is_all)
}

/// The policy on its way to a good shape.
struct Copy<'a> {
    root: Node,
    environment: Environment<'a>,
    /// Paths of what is no longer as it was written.
    mended: Vec<String>,
}

impl Copy<'_> {
    fn problems(&self) -> Vec<Problem> {
        let parsed = Policy::parse(self.root.to_string().as_bytes(), self.environment);
        parsed.err().unwrap_or_default()
    }

    /// A name that is unknown or given twice stands where it stands; all else, where the
    /// value does, or what should hold it.
    fn place(&self, problem: &Problem) -> Found {
        let (steps, _) = self.root.resolve(&problem.path);
        let node = self.root.follow(&steps).map_or(0, |node| node.at);
        let at = match self.second(problem) {
            Some((steps, index)) => self.member_at(&steps, index),
            None if is_about_its_name(problem) => {
                let parent = steps.split_last();
                parent.and_then(|(&index, parent)| self.member_at(parent, index))
            }
            None => None,
        };
        Found {
            at: at.unwrap_or(node),
            path: problem.path.clone(),
            message: plain(problem),
        }
    }

    fn member_at(&self, parent: &[usize], index: usize) -> Option<usize> {
        match &self.root.follow(parent)?.value {
            Value::Object(members) => members.get(index).map(|it| it.at),
            Value::Array(_) | Value::Leaf(_) => None,
        }
    }

    /// The second of two members of one name, which the problem is about.
    fn second(&self, problem: &Problem) -> Option<(Vec<usize>, usize)> {
        let message = &problem.message;
        if !message.contains("duplicate field") && !message.contains("given twice") {
            return None;
        }
        let name = message.split(['`', '"']).nth(1)?;
        let (steps, _) = self.root.resolve(&problem.path);
        let above = steps.split_last().map(|(_, above)| above.to_vec());
        [Some(steps), above]
            .into_iter()
            .flatten()
            .find_map(|steps| {
                let Value::Object(members) = &self.root.follow(&steps)?.value else {
                    return None;
                };
                let mut of_name = members.iter().enumerate().filter(|(_, it)| it.name == name);
                of_name.nth(1).map(|(index, _)| (steps, index))
            })
    }

    /// Changes the copy so that this problem is gone, and no other has come for it.
    fn mend(&mut self, problem: &Problem, depth: usize) -> bool {
        if let Some((parent, index)) = self.second(problem) {
            return self.take_out(&parent, index).is_some();
        }
        let (steps, rest) = self.root.resolve(&problem.path);
        if let Some(name) = missing_field(problem) {
            let path = match problem.path.as_str() {
                "" | "." => name.to_owned(),
                path => format!("{path}.{name}"),
            };
            return self.add(&steps, name, path, depth);
        }
        // The problem may be of something that does not stand in the text.
        if !rest.is_empty() && rest != "." && !rest.starts_with('?') {
            return false;
        }
        let is_unknown = problem.message.starts_with("unknown field");
        if (is_unknown && self.leave_out(&steps, problem))
            || self.replace(&steps, &problem.path, depth)
            || self.leave_out(&steps, problem)
        {
            return true;
        }
        let parent = steps.split_last().map(|(_, parent)| parent);
        parent.is_some_and(|parent| self.replace(parent, above(&problem.path), depth))
    }

    fn add(&mut self, steps: &[usize], name: &str, path: String, depth: usize) -> bool {
        let Some(Node {
            at,
            value: Value::Object(members),
        }) = self.root.follow_mut(steps)
        else {
            return false;
        };
        let child = [steps, &[members.len()]].concat();
        members.push(Member {
            at: *at,
            name: name.to_owned(),
            node: Node {
                at: *at,
                value: Value::Leaf("null".to_owned()),
            },
        });
        self.replace(&child, &path, depth)
    }

    /// Without it, if it may be left out.
    fn leave_out(&mut self, steps: &[usize], problem: &Problem) -> bool {
        let Some((&index, parent)) = steps.split_last() else {
            return false;
        };
        let Some(member) = self.take_out(parent, index) else {
            return false;
        };
        let parent_path = above(&problem.path);
        let remains = |it: &Problem| is_within(&it.path, &problem.path) || it.path == parent_path;
        if !self.problems().iter().any(|it| it.is_shape && remains(it)) {
            self.mended.push(problem.path.clone());
            return true;
        }
        if let Some(Node {
            value: Value::Object(members),
            ..
        }) = self.root.follow_mut(parent)
        {
            members.insert(index, member);
        }
        false
    }

    fn take_out(&mut self, parent: &[usize], index: usize) -> Option<Member> {
        match &mut self.root.follow_mut(parent)?.value {
            Value::Object(members) if index < members.len() => Some(members.remove(index)),
            Value::Object(_) | Value::Array(_) | Value::Leaf(_) => None,
        }
    }

    /// Something that the reader takes in its place.
    fn replace(&mut self, steps: &[usize], path: &str, depth: usize) -> bool {
        let mut candidates: VecDeque<String> = STAND_INS.map(str::to_owned).into();
        let mut tried = Vec::new();
        for _ in 0..TRIES {
            let Some(candidate) = candidates.pop_front() else {
                return false;
            };
            if tried.contains(&candidate) {
                continue;
            }
            let Some(mut stand_in) = Node::parse(&candidate) else {
                return false;
            };
            tried.push(candidate);
            let Some(node) = self.root.follow_mut(steps) else {
                return false;
            };
            stand_in.at = node.at;
            *node = stand_in;
            match self.settle(path, depth) {
                None => {
                    self.mended.push(path.to_owned());
                    return true;
                }
                // It may be told what is expected.
                Some(problem) => {
                    let expected = problem.message.split_once("expected ").map(|it| it.1);
                    let names = expected.unwrap_or_default().split('`').skip(1).step_by(2);
                    for name in names.take(2) {
                        let name = serde_json::Value::from(name).to_string();
                        candidates.push_front(format!("{{{name}:\"\"}}"));
                        candidates.push_front(name);
                    }
                }
            }
        }
        false
    }

    /// Mends what is wrong inside a stand-in; gives the problem of it that remains.
    fn settle(&mut self, path: &str, depth: usize) -> Option<Problem> {
        let mut last = None;
        for _ in 0..TRIES {
            let problems = self.problems();
            let inside = |it: &&Problem| it.is_shape && is_within(&it.path, path);
            let problem = problems.iter().find(inside)?;
            let is_inside = problem.path != path || missing_field(problem).is_some();
            let deeper = depth.checked_sub(1).filter(|_| is_inside);
            if !deeper.is_some_and(|depth| self.mend(problem, depth)) {
                return Some(problem.clone());
            }
            last = Some(problem.clone());
        }
        last
    }
}

/// Whether a field, or a variant, is unknown whose name stands at the end of the path.
fn is_about_its_name(problem: &Problem) -> bool {
    let name = problem.message.strip_prefix("unknown ");
    let name = name.and_then(|it| it.split('`').nth(1));
    name.is_some_and(|name| problem.path == name || problem.path.ends_with(&format!(".{name}")))
}

/// What is wrong, in the words of JSON where the reader speaks of Rust, and without the
/// place, which is one of the copy or of a part of it.
fn plain(problem: &Problem) -> String {
    let message = match problem.message.rsplit_once(" at line ") {
        Some((message, _)) if problem.is_shape => message,
        _ => return problem.message.clone(),
    };
    match message.split_once(", expected struct ") {
        Some((found, _)) => format!("{found}, expected an object"),
        None => message
            .replace("expected u64", "expected a whole number")
            .replace("expected usize", "expected a whole number")
            .replace("type: map", "type: an object")
            .replace("a sequence", "a list")
            .replace("type: sequence", "type: a list"),
    }
}

/// The path without its last step, which may be the number of an item.
fn above(path: &str) -> &str {
    path.rfind(['.', '['])
        .map_or("", |at| path.get(..at).unwrap_or_default())
}

fn missing_field(problem: &Problem) -> Option<&str> {
    let rest = problem.message.strip_prefix("missing field `")?;
    rest.split('`').next()
}

/// Whether a path is `above` or something in it.
fn is_within(path: &str, above: &str) -> bool {
    let rest = path.strip_prefix(above);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests;
