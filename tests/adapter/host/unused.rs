//! What the SDK imports and the filter does not call: the linker wants it to be there.

macro_rules! never_called {
    ($($name:ident)*) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $name() -> u32 {
                panic!("the filter does not call {}", stringify!($name))
            }
        )*
    };
}

never_called! {
    proxy_call_foreign_function proxy_close_stream proxy_done proxy_get_header_map_value
    proxy_get_log_level proxy_get_metric proxy_get_status proxy_grpc_call proxy_grpc_cancel
    proxy_grpc_close proxy_grpc_send proxy_grpc_stream proxy_resolve_shared_queue
    proxy_set_buffer_bytes proxy_set_header_map_pairs
}
