//! Links that cover a directory.

/// Which directory of the path a link covers; its last `/` is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directory {
    /// The one that is this many bytes long: `substring(http.request.uri.path, 0, N)` in
    /// Cloudflare's rules.
    Length(usize),
    /// Whichever was signed, but never `/`: the longest first, at most 32 of them,
    /// and of a target of at most 8 KiB.
    Any,
}

/// How many directories of one path are tried.
const MAX_DIRECTORIES: usize = 32;

/// Longest target of which more than one directory is tried: each costs two MACs over it.
const MAX_TARGET: usize = 8 * 1024;

impl Directory {
    /// Whether a target is so long that a search would cost too much.
    pub(super) fn is_lost_in(self, target: &str) -> bool {
        self == Self::Any && target.len() > MAX_TARGET
    }

    /// The directories of a path that a link may cover.
    pub(super) fn of(self, path: &str) -> impl Iterator<Item = &str> {
        let fixed = match self {
            Self::Length(length) => path.get(..length).filter(|it| it.ends_with('/')),
            Self::Any => None,
        };
        let any = path.rmatch_indices('/').filter(move |_| self == Self::Any);
        let any = any.filter_map(|(at, _)| path.get(..=at));
        let any = any.filter(|it| it.len() > 1).take(MAX_DIRECTORIES);
        fixed.into_iter().chain(any)
    }
}
