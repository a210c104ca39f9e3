//! The code that a struct of facts stands for.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::LitStr;

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
    let (name, fact, change) = (&facts.name, fact_type(facts), change_type(facts));
    let fields: Vec<_> = facts.settable().collect();
    let variants: Vec<_> = fields
        .iter()
        .map(|field| field.change.clone().unwrap_or_else(|| field.fact.name.clone()))
        .collect();
    let declared = fields.iter().zip(&variants).map(
        |(
            Field {
                docs,
                value,
                is_required,
                fact,
                ..
            },
            variant,
        )| {
            let held = if *is_required {
                quote!(#value)
            } else {
                quote!(::core::option::Option<#value>)
            };
            let by = format!("Set by {}.", list(fact.writes.iter()));
            quote!(#(#docs)* #[doc = ""] #[doc = #by] #variant(#held))
        },
    );
    let facts_of = fields.iter().zip(&variants).map(|(field, variant)| {
        let of = &field.fact.name;
        quote!(Self::#variant(_) => #fact::#of)
    });
    let after = fields.iter().zip(&variants).map(
        |(
            Field {
                ident,
                is_required,
                absent,
                ..
            },
            variant,
        )| {
            let becomes = match (is_required, absent) {
                (true, _) => quote!(::portcullis_core::Observed::Is(value.clone())),
                (false, Some(absent)) => quote!(::portcullis_core::Observed::Is(value.clone().unwrap_or_else(#absent))),
                (false, None) => quote!(value.clone().into()),
            };
            quote!(Self::#variant(value) => after.#ident = #becomes)
        },
    );
    let inverse = fields.iter().zip(&variants).map(|(Field { ident, is_required, undo, .. }, variant)| {
        let was = quote!(before.#ident);
        match (is_required, undo) {
            (true, Some(undo)) => quote!(Self::#variant(_) => #was.get().cloned().and_then(#undo).map(Self::#variant)),
            (true, None) => quote!(Self::#variant(_) => #was.get().cloned().map(Self::#variant)),
            (false, Some(undo)) => quote!(Self::#variant(_) => (!#was.is_unread()).then(|| Self::#variant(#was.get().cloned().and_then(#undo)))),
            (false, None) => quote!(Self::#variant(_) => (!#was.is_unread()).then(|| Self::#variant(#was.get().cloned()))),
        }
    });
    let targets = fields.iter().zip(&variants).map(|(Field { ident, .. }, variant)| {
        let target = ident.to_string();
        quote!(Self::#variant(_) => #target)
    });
    let number = |method: Ident, of: fn(&Field) -> &Option<syn::LitInt>| {
        let arms: Vec<_> = fields
            .iter()
            .zip(&variants)
            .filter_map(|(field, variant)| {
                let number = of(field).as_ref()?;
                Some(quote!(Self::#variant(_) => #number))
            })
            .collect();
        if arms.is_empty() {
            return TokenStream::new();
        }
        let rest = (arms.len() < fields.len()).then(|| quote!(_ => 0));
        quote!(fn #method(&self) -> u8 { match self { #(#arms,)* #rest } })
    };
    let orders = [
        number(format_ident!("concurrency_group"), |field| &field.group),
        number(format_ident!("apply_order"), |field| &field.apply_order),
        number(format_ident!("restore_order"), |field| &field.restore_order),
    ];
    let doc = format!("A change to a [`{name}`]: each sets one fact as a whole, or takes it away.");
    let methods = if fields.is_empty() {
        quote! {
            fn fact(&self) -> #fact { match *self {} }
            fn after(&self, _: &#name) -> #name { match *self {} }
            fn inverse(&self, _: &#name) -> ::core::option::Option<Self> { match *self {} }
            fn target(&self) -> ::std::borrow::Cow<'static, str> { match *self {} }
        }
    } else {
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
        }
    };
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
