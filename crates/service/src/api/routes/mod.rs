//! All routes, each in one row: its path, who may call it, what does it, and its description. The
//! router, the roles and the OpenAPI document are made of these rows.

mod edges;
mod keys;
mod service;
mod tokens;

use std::sync::{Arc, LazyLock};

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodRouter, delete, get, patch, post, put};

use super::Service;
use crate::openapi::{self, Operation};
use crate::roles::Action;

/// A route, and what the description says of it.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) action: Action,
    pub(super) to: MethodRouter<Arc<Service>>,
    operation: Operation,
}

/// The OpenAPI document, which is the same for all services of this version.
pub(super) static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let routes = all();
    let rows = routes.iter();
    let rows = rows.map(|it| (&it.method, it.path, it.action, &it.operation));
    let mut text = format!("{:#}", openapi::document(rows));
    text.push('\n');
    text
});

/// All of them.
pub(super) fn all() -> Vec<Route> {
    let mut routes = Routes::default();
    keys::add(&mut routes);
    tokens::add(&mut routes);
    edges::add(&mut routes);
    service::add(&mut routes);
    routes.0
}

#[derive(Default)]
struct Routes(Vec<Route>);

impl Routes {
    fn get<T: 'static>(
        &mut self,
        path: &'static str,
        action: Action,
        to: impl Handler<T, Arc<Service>>,
        operation: Operation,
    ) {
        self.add(Method::GET, path, action, get(to), operation);
    }

    fn post<T: 'static>(
        &mut self,
        path: &'static str,
        action: Action,
        to: impl Handler<T, Arc<Service>>,
        operation: Operation,
    ) {
        self.add(Method::POST, path, action, post(to), operation);
    }

    fn patch<T: 'static>(
        &mut self,
        path: &'static str,
        action: Action,
        to: impl Handler<T, Arc<Service>>,
        operation: Operation,
    ) {
        self.add(Method::PATCH, path, action, patch(to), operation);
    }

    fn put<T: 'static>(
        &mut self,
        path: &'static str,
        action: Action,
        to: impl Handler<T, Arc<Service>>,
        operation: Operation,
    ) {
        self.add(Method::PUT, path, action, put(to), operation);
    }

    fn delete<T: 'static>(
        &mut self,
        path: &'static str,
        action: Action,
        to: impl Handler<T, Arc<Service>>,
        operation: Operation,
    ) {
        self.add(Method::DELETE, path, action, delete(to), operation);
    }

    fn add(
        &mut self,
        method: Method,
        path: &'static str,
        action: Action,
        to: MethodRouter<Arc<Service>>,
        operation: Operation,
    ) {
        self.0.push(Route {
            method,
            path,
            action,
            to,
            operation,
        });
    }
}
