//! The paths in one file of Rust, by its tokens: comments are gone, and strings are no code.

use std::collections::BTreeMap;
use std::iter::Peekable;

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree, token_stream};

/// What a file says of other files.
#[derive(Default)]
pub(super) struct Source {
    /// The modules that it declares and does not contain.
    pub(super) children: Vec<String>,
    /// Every path of two or more names.
    pub(super) paths: Vec<Vec<String>>,
    /// The names that `use` lines bring in, and what each stands for.
    pub(super) bound: BTreeMap<String, Vec<String>>,
}

/// A token as far as paths need it.
enum Token {
    Name(String),
    /// The sign `::`.
    Colons,
    Other(char),
    Group(Delimiter, Vec<Token>),
}

type Tokens = Peekable<token_stream::IntoIter>;

impl Source {
    /// Reads a file without its tests; `None` if its brackets or its literals are unbalanced.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut source = Self::default();
        source.walk(&tokens(text.parse().ok()?), 0);
        Some(source)
    }

    /// Collects from tokens within so many modules of this file.
    fn walk(&mut self, tokens: &[Token], depth: usize) {
        let mut rest = tokens;
        let mut goes_on = false;
        while let [token, tail @ ..] = rest {
            let is_start = !std::mem::take(&mut goes_on);
            rest = match (token, tail) {
                (Token::Name(word), [Token::Name(name), Token::Other(';'), tail @ ..])
                    if word == "mod" =>
                {
                    self.children.push(name.clone());
                    tail
                }
                (
                    Token::Name(word),
                    [
                        Token::Name(_),
                        Token::Group(Delimiter::Brace, inner),
                        tail @ ..,
                    ],
                ) if word == "mod" => {
                    self.walk(inner, depth + 1);
                    tail
                }
                (Token::Name(word), tail) if word == "use" => self.read_path(tail, depth, true),
                (Token::Name(_), [Token::Colons, ..]) if is_start => {
                    self.read_path(rest, depth, false)
                }
                (Token::Group(_, inner), tail) => {
                    self.walk(inner, depth);
                    tail
                }
                (Token::Colons, tail) => {
                    goes_on = true;
                    tail
                }
                (Token::Name(_) | Token::Other(_), tail) => tail,
            };
        }
    }

    /// Reads a path, or the tree of a `use` line; returns what follows it.
    fn read_path<'a>(&mut self, tokens: &'a [Token], depth: usize, is_use: bool) -> &'a [Token] {
        let mut leaves = Vec::new();
        let rest = tree(tokens, Vec::new(), &mut leaves);
        for (mut path, name) in leaves {
            // From a module within the file `super` leads to the file.
            let supers = path.iter().take_while(|name| *name == "super").count();
            let own = supers.min(depth);
            path.splice(..own, (own > 0).then(|| "self".to_owned()));
            if let Some(name) = name.filter(|_| is_use && depth == 0) {
                self.bound.insert(name, path.clone());
            }
            self.paths.push(path);
        }
        rest
    }
}

/// Reads a tree such as `a::{b, c as d}` into its paths, and under which name each ends.
fn tree<'a>(
    mut rest: &'a [Token],
    mut path: Vec<String>,
    leaves: &mut Vec<(Vec<String>, Option<String>)>,
) -> &'a [Token] {
    loop {
        match rest {
            [Token::Name(name), Token::Colons, tail @ ..] => {
                path.push(name.clone());
                rest = tail;
            }
            [Token::Name(name), tail @ ..] => {
                // `a::{self}` names `a`.
                if name != "self" || path.is_empty() {
                    path.push(name.clone());
                }
                let last = path.last().cloned();
                let (name, tail) = match tail {
                    [Token::Name(word), Token::Name(name), tail @ ..]
                        if word == "as" && !matches!(tail, [Token::Colons, ..]) =>
                    {
                        (Some(name.clone()), tail)
                    }
                    tail => (last, tail),
                };
                leaves.push((path, name));
                return tail;
            }
            [Token::Group(Delimiter::Brace, inner), tail @ ..] => {
                for part in inner.split(|token| matches!(token, Token::Other(','))) {
                    tree(part, path.clone(), leaves);
                }
                return tail;
            }
            // A glob, the types of a generic item, or the end of a list.
            rest => {
                if !path.is_empty() {
                    leaves.push((path, None));
                }
                return rest;
            }
        }
    }
}

fn tokens(stream: TokenStream) -> Vec<Token> {
    let mut stream = stream.into_iter().peekable();
    let mut tokens = Vec::new();
    while let Some(tree) = stream.next() {
        match tree {
            TokenTree::Punct(sign) if sign.as_char() == '#' => {
                tokens.extend(attribute(&mut stream));
            }
            TokenTree::Punct(sign) if sign.as_char() == ':' && sign.spacing() == Spacing::Joint => {
                stream.next();
                tokens.push(Token::Colons);
            }
            TokenTree::Punct(sign) => tokens.push(Token::Other(sign.as_char())),
            TokenTree::Ident(name) => tokens.push(Token::Name(name.to_string())),
            TokenTree::Literal(_) => tokens.push(Token::Other('"')),
            TokenTree::Group(group) => {
                let inner = self::tokens(group.stream());
                tokens.push(Token::Group(group.delimiter(), inner));
            }
        }
    }
    tokens
}

/// The tokens of an attribute, strings in it included: `serde(with = "super::x")` names code.
/// That of a test takes its item along.
fn attribute(stream: &mut Tokens) -> Option<Token> {
    stream.next_if(|tree| matches!(tree, TokenTree::Punct(sign) if sign.as_char() == '!'));
    let group = match stream.next()? {
        TokenTree::Group(group) => group,
        _ => return None,
    };
    let text = group.stream().to_string();
    if text.starts_with("doc ") {
        return None;
    }
    if text.split_whitespace().collect::<String>() == "cfg(test)" {
        skip_item(stream);
        return None;
    }
    let mut inner = Vec::new();
    quoted(group.stream(), &mut inner);
    inner.extend(tokens(group.stream()));
    Some(Token::Group(Delimiter::Bracket, inner))
}

/// The code in strings: those with a path.
fn quoted(stream: TokenStream, code: &mut Vec<Token>) {
    for tree in stream {
        match tree {
            TokenTree::Group(group) => quoted(group.stream(), code),
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                let text = text
                    .strip_prefix('"')
                    .and_then(|text| text.strip_suffix('"'));
                let text = text.filter(|text| text.contains("::"));
                let stream = text.and_then(|text| text.parse().ok());
                code.extend(stream.map(tokens).into_iter().flatten());
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
}

/// Skips an item, a statement, a field or an arm: to its `;`, its `,` or its block.
fn skip_item(stream: &mut Tokens) {
    let (mut angles, mut before) = (0_usize, ' ');
    for tree in stream.by_ref() {
        let sign = match &tree {
            TokenTree::Punct(sign) => sign.as_char(),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return,
            _ => ' ',
        };
        match sign {
            ';' => return,
            ',' if angles == 0 => return,
            '<' => angles += 1,
            // That of `->` or `=>` closes nothing.
            '>' if !matches!(before, '-' | '=') => angles = angles.saturating_sub(1),
            _ => {}
        }
        before = sign;
    }
}
