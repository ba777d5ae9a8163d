//! The one integration test binary.

<<<<<<< HEAD
mod gcfg_oracle;
mod settings_docs;
mod support;
=======
mod bundles;
>>>>>>> w-content
