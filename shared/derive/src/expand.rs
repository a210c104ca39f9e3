//! The code that a struct of facts stands for.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{LitInt, LitStr};

use crate::parse::{Facts, Field, Named};

pub fn expand(facts: &Facts) -> TokenStream {
    let parts = [enumerated(facts), state(facts), changes(facts), serde(facts)];
    parts.into_iter().collect()
}

fn fact_type(facts: &Facts) -> Ident {
    format_ident!("{}Fact", facts.name)
}

fn change_type(facts: &Facts) -> TokenStream {
    match &facts.change {
        Some(by_hand) => by_hand.to_token_stream(),
        None => format_ident!("{}Change", facts.name).to_token_stream(),
    }
}

/// The names of the facts.
fn enumerated(facts: &Facts) -> TokenStream {
    let (name, fact) = (&facts.name, fact_type(facts));
    let variants = facts.names().into_iter().map(|variant| {
        let docs = facts
            .fields
            .iter()
            .filter(|field| field.fact.name == *variant)
            .flat_map(|field| &field.docs);
        let read = format!("Read by {}.", list(facts.of(variant).flat_map(|fact| &fact.reads)));
        quote!(#(#docs)* #[doc = ""] #[doc = #read] #variant)
    });
    let doc = format!("What can be read or changed of a [`{name}`].");
    quote! {
        #[doc = #doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum #fact { #(#variants),* }
    }
}

fn list<'a>(actions: impl Iterator<Item = &'a LitStr>) -> String {
    let actions: Vec<_> = actions.map(|action| format!("`{}`", action.value())).collect();
    if actions.is_empty() {
        "nothing".to_owned()
    } else {
        actions.join(", ")
    }
}

fn state(facts: &Facts) -> TokenStream {
    let (name, fact, change) = (&facts.name, fact_type(facts), change_type(facts));
    let actions = |of: fn(&Named) -> &Vec<LitStr>| {
        let arms = facts.names().into_iter().map(|variant| {
            let actions = facts.of(variant).flat_map(of);
            quote!(#fact::#variant => &[#(#actions),*])
        });
        quote!(match fact { #(#arms),* })
    };
    let (reads, writes) = (actions(|fact| &fact.reads), actions(|fact| &fact.writes));
    let tags = facts.fields.iter().find(|field| field.is_tags).map_or_else(
        || quote!(::core::option::Option::None),
        |Field { ident, .. }| quote!(self.#ident.get()),
    );
    quote! {
        impl ::portcullis_core::State for #name {
            type Fact = #fact;
            type Change = #change;

            fn reads(fact: #fact) -> &'static [&'static str] { #reads }

            fn writes(fact: #fact) -> &'static [&'static str] { #writes }

            fn tags(&self) -> ::core::option::Option<&::portcullis_core::Tags> { #tags }
        }
    }
}

/// The changes: none where they are written by hand, an empty type where nothing is set.
fn changes(facts: &Facts) -> TokenStream {
    if facts.change.is_some() {
        return TokenStream::new();
    }
    let (name, change) = (&facts.name, change_type(facts));
    let changes: Vec<_> = facts.settable().map(Settable::of).collect();
    let declared = changes.iter().map(Settable::declared);
    let methods = if changes.is_empty() {
        uninhabited(facts)
    } else {
        methods(facts, &changes)
    };
    let doc = format!("A change to a [`{name}`]: each sets one fact as a whole, or takes it away.");
    quote! {
        #[doc = #doc]
        #[derive(Debug, Clone, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum #change { #(#declared),* }

        impl ::portcullis_core::Change for #change {
            type State = #name;
            #methods
        }
    }
}

/// The methods of a type without values.
fn uninhabited(facts: &Facts) -> TokenStream {
    let (name, fact) = (&facts.name, fact_type(facts));
    quote! {
        fn fact(&self) -> #fact { match *self {} }
        fn after(&self, _: &#name) -> #name { match *self {} }
        fn inverse(&self, _: &#name) -> ::core::option::Option<Self> { match *self {} }
        fn target(&self) -> ::std::borrow::Cow<'static, str> { match *self {} }
    }
}

fn methods(facts: &Facts, changes: &[Settable<'_>]) -> TokenStream {
    let (name, fact) = (&facts.name, fact_type(facts));
    let facts_of = changes.iter().map(|Settable { field, variant }| {
        let of = &field.fact.name;
        quote!(Self::#variant(_) => #fact::#of)
    });
    let after = changes.iter().map(Settable::after);
    let inverse = changes.iter().map(Settable::inverse);
    let targets = changes.iter().map(|Settable { field, variant }| {
        let target = field.ident.to_string();
        quote!(Self::#variant(_) => #target)
    });
    let orders = [
        number(changes, "concurrency_group", |field| field.group.as_ref()),
        number(changes, "apply_order", |field| field.apply_order.as_ref()),
        number(changes, "restore_order", |field| field.restore_order.as_ref()),
    ];
    let (settles, writable, documents) = (settles(changes), writable(changes), documents(changes));
    quote! {
        fn fact(&self) -> #fact { match self { #(#facts_of),* } }

        fn after(&self, state: &#name) -> #name {
            let mut after = state.clone();
            match self { #(#after),* }
            after
        }

        fn inverse(&self, before: &#name) -> ::core::option::Option<Self> { match self { #(#inverse),* } }

        fn target(&self) -> ::std::borrow::Cow<'static, str> {
            ::std::borrow::Cow::Borrowed(match self { #(#targets),* })
        }

        #(#orders)*

        #settles

        #writable

        #documents
    }
}

/// Which changes write a document as a whole; none where no field is one.
fn documents(changes: &[Settable<'_>]) -> TokenStream {
    let documents: Vec<_> = changes
        .iter()
        .filter(|Settable { field, .. }| field.is_document)
        .map(|Settable { variant, .. }| quote!(Self::#variant(_)))
        .collect();
    if documents.is_empty() {
        return TokenStream::new();
    }
    if documents.len() == changes.len() {
        return quote!(
            fn replaces_document(&self) -> bool {
                true
            }
        );
    }
    quote!(
        fn replaces_document(&self) -> bool {
            ::core::matches!(self, #(#documents)|*)
        }
    )
}

/// The changes that set a policy, as AWS takes them; none where no field is one.
fn writable(changes: &[Settable<'_>]) -> TokenStream {
    let arms: Vec<_> = changes
        .iter()
        .filter(|Settable { field, .. }| field.is_policy)
        .map(|Settable { field, variant }| {
            // One that is never taken away is a document with more than its text, such as its revision.
            if field.is_required {
                return quote!(Self::#variant(policy) => {
                    let (policy, notes) = policy.writable();
                    (Self::#variant(policy), notes)
                });
            }
            quote!(Self::#variant(::core::option::Option::Some(text)) => {
                let ::portcullis_controls::Writable { text, notes } = ::portcullis_controls::writable(&text);
                (Self::#variant(text), notes)
            })
        })
        .collect();
    if arms.is_empty() {
        return TokenStream::new();
    }
    quote! {
        fn writable(self) -> (Self, ::std::vec::Vec<::std::string::String>) {
            match self { #(#arms,)* other => (other, ::std::vec::Vec::new()) }
        }
    }
}

/// How long AWS may take to show each change; none where no field says so.
fn settles(changes: &[Settable<'_>]) -> TokenStream {
    let arms: Vec<_> = changes
        .iter()
        .filter_map(|Settable { field, variant }| {
            let minutes = field.settles.as_ref()?;
            Some(quote!(Self::#variant(_) => ::core::option::Option::Some(::portcullis_core::SignedDuration::from_mins(#minutes))))
        })
        .collect();
    if arms.is_empty() {
        return TokenStream::new();
    }
    let rest = (arms.len() < changes.len()).then(|| quote!(_ => ::core::option::Option::None));
    quote! {
        fn settles(&self) -> ::core::option::Option<::portcullis_core::SignedDuration> { match self { #(#arms,)* #rest } }
    }
}

/// A method that answers a number for each change; none where no field says one, so that the trait's own answer stands.
fn number(changes: &[Settable<'_>], method: &str, of: fn(&Field) -> Option<&LitInt>) -> TokenStream {
    let arms: Vec<_> = changes
        .iter()
        .filter_map(|Settable { field, variant }| {
            let number = of(field)?;
            Some(quote!(Self::#variant(_) => #number))
        })
        .collect();
    if arms.is_empty() {
        return TokenStream::new();
    }
    let method = format_ident!("{method}");
    let rest = (arms.len() < changes.len()).then(|| quote!(_ => 0));
    quote!(fn #method(&self) -> u8 { match self { #(#arms,)* #rest } })
}

/// A field that is set as a whole, and its change's name.
struct Settable<'a> {
    field: &'a Field,
    variant: &'a Ident,
}

impl<'a> Settable<'a> {
    fn of(field: &'a Field) -> Self {
        let variant = field.change.as_ref().unwrap_or(&field.fact.name);
        Self { field, variant }
    }

    fn declared(&self) -> TokenStream {
        let Self { field, variant } = self;
        let (docs, value) = (&field.docs, &field.value);
        let held = if field.is_required {
            quote!(#value)
        } else {
            quote!(::core::option::Option<#value>)
        };
        let by = format!("Set by {}.", list(field.fact.writes.iter()));
        quote!(#(#docs)* #[doc = ""] #[doc = #by] #variant(#held))
    }

    fn after(&self) -> TokenStream {
        let Self { field, variant } = self;
        let ident = &field.ident;
        let becomes = match (field.is_required, &field.absent) {
            (true, _) => quote!(::portcullis_core::Observed::Is(value.clone())),
            (false, Some(absent)) => quote!(::portcullis_core::Observed::Is(value.clone().unwrap_or_else(#absent))),
            (false, None) => quote!(value.clone().into()),
        };
        quote!(Self::#variant(value) => after.#ident = #becomes)
    }

    fn inverse(&self) -> TokenStream {
        let Self { field, variant } = self;
        let ident = &field.ident;
        let undo = field.undo.as_ref().map(|undo| quote!(.map(#undo)));
        let was = quote!(before.#ident.get().cloned() #undo);
        if field.is_required {
            quote!(Self::#variant(_) => #was.map(Self::#variant))
        } else {
            quote!(Self::#variant(_) => (!before.#ident.is_unread()).then(|| Self::#variant(#was)))
        }
    }
}

/// What was not read is left out, what is absent is `null`.
fn serde(facts: &Facts) -> TokenStream {
    let name = &facts.name;
    let fields: Vec<_> = facts.fields.iter().map(|field| &field.ident).collect();
    let values: Vec<_> = facts.fields.iter().map(|field| &field.value).collect();
    let names = fields.iter().map(ToString::to_string);
    quote! {
        const _: () = {
            use ::portcullis_core::Observed;

            impl ::serde::Serialize for #name {
                fn serialize<S: ::serde::Serializer>(&self, to: S) -> ::core::result::Result<S::Ok, S::Error> {
                    use ::serde::ser::SerializeMap as _;
                    let mut map = to.serialize_map(::core::option::Option::None)?;
                    #(if !self.#fields.is_unread() {
                        map.serialize_entry(#names, &self.#fields)?;
                    })*
                    map.end()
                }
            }

            impl<'de> ::serde::Deserialize<'de> for #name {
                fn deserialize<D: ::serde::Deserializer<'de>>(from: D) -> ::core::result::Result<Self, D::Error> {
                    #[derive(Default, ::serde::Deserialize)]
                    #[serde(default)]
                    struct Read { #(#fields: Observed<#values>),* }

                    let Read { #(#fields),* } = Read::deserialize(from)?;
                    ::core::result::Result::Ok(Self { #(#fields),* })
                }
            }
        };
    }
}
