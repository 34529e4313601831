//! The counters that the edge has beside those of decisions: one row each.

macro_rules! counters {
    ($($name:ident = $text:literal,)*) => {
        /// A counter with a fixed name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Counter {
            $($name,)*
        }

        impl Counter {
            /// All of them, in the order of the table.
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];

            /// The name as the host gets it.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

counters! {
    LookupAnswered = "keygate_lookup.answered",
    LookupUnavailable = "keygate_lookup.unavailable",
    LinkUseAnswered = "keygate_link_use.answered",
    LinkUseUnavailable = "keygate_link_use.unavailable",
    LinkUseOverloaded = "keygate_link_use.overloaded",
    KeyUseAnswered = "keygate_key_use.answered",
    KeyUseUnavailable = "keygate_key_use.unavailable",
    KeyUseDropped = "keygate_key_use.dropped",
    PollAnswered = "keygate_poll.answered",
    PollUnavailable = "keygate_poll.unavailable",
    KeyServiceUnreachable = "keygate_key_service.unreachable",
    KeyServiceTimedOut = "keygate_key_service.timed_out",
    KeyServiceNotSent = "keygate_key_service.not_sent",
    KeyServiceTokenRefused = "keygate_key_service.token_refused",
    KeyServiceUnusable = "keygate_key_service.unusable",
    FeedBegun = "keygate_feed.begun",
    FeedReset = "keygate_feed.reset",
    LeaseEnded = "keygate_lease.ended",
    LeaseRenewed = "keygate_lease.renewed",
}
