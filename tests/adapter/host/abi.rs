//! The functions that the filter imports, over the state of this thread's host.

use std::slice;

use super::{
    BAD_ARGUMENT, CAS_MISMATCH, Call, EMPTY, Fault, Headers, INTERNAL_FAILURE, NOT_FOUND, OK,
    Reply, State, host, next_id, proxy_on_delete, proxy_on_memory_allocate,
};

fn bytes<'a>(data: *const u8, size: usize) -> &'a [u8] {
    if size == 0 {
        return &[];
    }
    // SAFETY: the filter passes the pointer and size of a live slice.
    unsafe { slice::from_raw_parts(data, size) }
}

fn text(data: *const u8, size: usize) -> String {
    String::from_utf8(bytes(data, size).to_vec()).unwrap()
}

/// As Envoy, nothing at all for what is empty.
fn give(value: &[u8], data: *mut *mut u8, size: *mut usize) -> u32 {
    if value.is_empty() {
        set(data, std::ptr::null_mut());
        return set(size, 0);
    }
    // SAFETY: the filter passes pointers that are valid for the call, and allocates.
    unsafe {
        let block = proxy_on_memory_allocate(value.len());
        std::ptr::copy_nonoverlapping(value.as_ptr(), block, value.len());
        *data = block;
        *size = value.len();
    }
    OK
}

fn set<T>(place: *mut T, value: T) -> u32 {
    // SAFETY: the filter passes a pointer that is valid for the call.
    unsafe { *place = value };
    OK
}

fn write_map(map: &Headers) -> Vec<u8> {
    let mut bytes = Vec::from(u32::try_from(map.len()).unwrap().to_le_bytes());
    for (name, value) in map {
        for text in [name, value] {
            bytes.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
        }
    }
    for (name, value) in map {
        for text in [name, value] {
            bytes.extend(text);
            bytes.push(0);
        }
    }
    bytes
}

fn read_map(mut bytes: &[u8]) -> Headers {
    let mut number = || {
        let (number, rest) = bytes.split_first_chunk::<4>().unwrap();
        bytes = rest;
        u32::from_le_bytes(*number) as usize
    };
    let count = number();
    let sizes: Vec<(usize, usize)> = (0..count).map(|_| (number(), number())).collect();
    let mut take = |size: usize| {
        let (text, rest) = bytes.split_at(size);
        bytes = &rest[1..];
        text.to_vec()
    };
    sizes
        .into_iter()
        .map(|(name, value)| (take(name), take(value)))
        .collect()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_log(_level: u32, data: *const u8, size: usize) -> u32 {
    host(|host| host.log.push(text(data, size)));
    OK
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32 {
    match host(|host| (host.faults.contains(&Fault::Clock), host.now_millis)) {
        (true, _) => INTERNAL_FAILURE,
        (false, millis) => set(time, millis * 1_000_000),
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_tick_period_milliseconds(_period: u32) -> u32 {
    OK
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_buffer_bytes(
    kind: u32,
    _start: usize,
    max: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> u32 {
    let buffer = match kind {
        4 => host(|host| host.answer.1.clone()),
        7 => host(|host| host.configuration.clone()),
        _ => return BAD_ARGUMENT,
    };
    give(&buffer[..max.min(buffer.len())], data, size)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32 {
    let headers = host(|host| match map {
        0 if host.faults.contains(&Fault::ReadHeaders) => None,
        0 => host
            .exchanges
            .get(&host.effective)
            .map(|it| it.headers.clone()),
        1 => host
            .exchanges
            .get(&host.effective)
            .map(|it| it.trailers.clone()),
        6 => Some(host.answer.0.clone()),
        _ => None,
    });
    headers.map_or(BAD_ARGUMENT, |headers| {
        give(&write_map(&headers), data, size)
    })
}

fn edit(act: impl FnOnce(&mut Headers)) -> u32 {
    host(|host| match host.exchanges.get_mut(&host.effective) {
        // As in Envoy: no header can be changed once the request goes on.
        Some(exchange) if !exchange.is_resumed && !host.faults.contains(&Fault::WriteHeaders) => {
            act(&mut exchange.headers);
            OK
        }
        _ => BAD_ARGUMENT,
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_replace_header_map_value(
    map: u32,
    name: *const u8,
    name_size: usize,
    value: *const u8,
    value_size: usize,
) -> u32 {
    let (name, value) = (bytes(name, name_size), bytes(value, value_size));
    // 2 are the headers of the upstream's answer.
    if map == 2 {
        return host(|host| match host.exchanges.get_mut(&host.effective) {
            Some(exchange) if !host.faults.contains(&Fault::WriteHeaders) => {
                exchange.response.push((name.to_vec(), value.to_vec()));
                OK
            }
            _ => BAD_ARGUMENT,
        });
    }
    edit(|headers| {
        headers.retain(|(it, _)| it != name);
        headers.push((name.to_vec(), value.to_vec()));
    })
}

/// No more than an answer needs: it keeps every header that it is given.
#[unsafe(no_mangle)]
extern "C" fn proxy_add_header_map_value(
    map: u32,
    name: *const u8,
    name_size: usize,
    value: *const u8,
    value_size: usize,
) -> u32 {
    match map {
        2 => proxy_replace_header_map_value(map, name, name_size, value, value_size),
        _ => BAD_ARGUMENT,
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_remove_header_map_value(map: u32, name: *const u8, size: usize) -> u32 {
    if map == 1 {
        let trailers = |host: &mut State| {
            let exchange = host.exchanges.get_mut(&host.effective).unwrap();
            exchange.trailers.retain(|(it, _)| it != bytes(name, size));
        };
        host(trailers);
        return OK;
    }
    edit(|headers| headers.retain(|(it, _)| !it.eq_ignore_ascii_case(bytes(name, size))))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_property(
    path: *const u8,
    path_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> u32 {
    match bytes(path, path_size) {
        b"source\0address" => give(b"10.1.2.3:4711", data, size),
        path => match host(|host| host.properties.get(path).cloned()) {
            Some(value) => give(&value, data, size),
            None => NOT_FOUND,
        },
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_property(
    path: *const u8,
    path_size: usize,
    value: *const u8,
    value_size: usize,
) -> u32 {
    let entry = (text(path, path_size), text(value, value_size));
    host(|host| match host.exchanges.get_mut(&host.effective) {
        Some(exchange) => {
            exchange.state.push(entry);
            OK
        }
        None => BAD_ARGUMENT,
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_shared_data(
    name: *const u8,
    name_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
    version: *mut u32,
) -> u32 {
    match host(|host| host.shared.get(bytes(name, name_size)).cloned()) {
        Some((value, current)) => {
            set(version, current);
            give(&value, data, size)
        }
        None => NOT_FOUND,
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_shared_data(
    name: *const u8,
    name_size: usize,
    value: *const u8,
    value_size: usize,
    version: u32,
) -> u32 {
    host(|host| {
        let name = bytes(name, name_size).to_vec();
        let current = host.shared.get(&name).map_or(0, |(_, version)| *version);
        if version != 0 && version != current {
            return CAS_MISMATCH;
        }
        let value = bytes(value, value_size).to_vec();
        host.shared.insert(name, (value, current + 1));
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_register_shared_queue(_name: *const u8, _size: usize, id: *mut u32) -> u32 {
    // One for each root context.
    let root = host(|host| host.effective);
    host(|host| host.queues.insert(root, root));
    set(id, root)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_enqueue_shared_queue(_queue: u32, _value: *const u8, _size: usize) -> u32 {
    host(|host| {
        if !host.faults.contains(&Fault::Queue) {
            host.rung += 1;
        }
    });
    OK
}

#[unsafe(no_mangle)]
extern "C" fn proxy_dequeue_shared_queue(_queue: u32, data: *mut *mut u8, size: *mut usize) -> u32 {
    match host(|host| host.rung.checked_sub(1).inspect(|rung| host.rung = *rung)) {
        Some(_) => give(&[0], data, size),
        None => EMPTY,
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_continue_stream(_kind: u32) -> u32 {
    host(|host| match host.exchanges.get_mut(&host.effective) {
        Some(exchange) => {
            exchange.is_resumed = true;
            OK
        }
        None => BAD_ARGUMENT,
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_send_local_response(
    status: u32,
    details: *const u8,
    details_size: usize,
    body: *const u8,
    body_size: usize,
    headers: *const u8,
    headers_size: usize,
    grpc_status: i32,
) -> u32 {
    let reply = Reply {
        status,
        details: text(details, details_size),
        grpc_status,
        headers: read_map(bytes(headers, headers_size)),
        body: text(body, body_size),
    };
    let status = host(|host| match host.exchanges.get_mut(&host.effective) {
        // A second answer hangs a client of Envoy.
        Some(exchange) if exchange.reply.is_none() => {
            exchange.reply = Some(reply);
            OK
        }
        _ => BAD_ARGUMENT,
    });
    let (ends, context) = host(|host| (host.faults.contains(&Fault::EndAtReply), host.effective));
    if ends {
        // SAFETY: the entry point of the module, as a host calls it.
        unsafe { proxy_on_delete(context) };
    }
    status
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_effective_context(context: u32) -> u32 {
    host(|host| {
        if host.roots.contains(&context) || host.exchanges.contains_key(&context) {
            host.effective = context;
            OK
        } else {
            BAD_ARGUMENT
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_define_metric(_kind: u32, name: *const u8, size: usize, id: *mut u32) -> u32 {
    let index = host(|host| {
        host.counters.push((text(name, size), 0));
        host.counters.len() - 1
    });
    set(id, u32::try_from(index).unwrap())
}

#[unsafe(no_mangle)]
extern "C" fn proxy_increment_metric(metric: u32, offset: i64) -> u32 {
    host(|host| host.counters[metric as usize].1 += u64::try_from(offset).unwrap());
    OK
}

#[unsafe(no_mangle)]
extern "C" fn proxy_record_metric(_gauge: u32, _value: u64) -> u32 {
    OK
}

#[unsafe(no_mangle)]
extern "C" fn proxy_http_call(
    cluster: *const u8,
    cluster_size: usize,
    headers: *const u8,
    headers_size: usize,
    body: *const u8,
    body_size: usize,
    _trailers: *const u8,
    _trailers_size: usize,
    timeout_millis: u32,
    token: *mut u32,
) -> u32 {
    let id = host(|host| {
        if host.faults.contains(&Fault::Call) {
            return None;
        }
        let id = next_id();
        host.calls.push(Call {
            token: id,
            context: host.effective,
            cluster: text(cluster, cluster_size),
            headers: read_map(bytes(headers, headers_size)),
            body: bytes(body, body_size).to_vec(),
            timeout_millis,
        });
        Some(id)
    });
    id.map_or(INTERNAL_FAILURE, |id| set(token, id))
}
