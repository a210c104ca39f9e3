//! What the attributes of a struct of facts say.

use proc_macro2::Ident;
use quote::format_ident;
use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{
    Attribute, Data, DeriveInput, Error, Fields, GenericArgument, LitInt, LitStr, Path, PathArguments, Result, Token,
    Type,
};

/// A struct of facts.
pub struct Facts {
    pub name: Ident,
    pub fields: Vec<Field>,
    /// What is read or done beside the fields.
    pub also: Vec<Named>,
    /// The type of its changes, where it is written by hand.
    pub change: Option<Path>,
}

/// A fact's name and IAM actions.
#[derive(Clone)]
pub struct Named {
    pub name: Ident,
    pub reads: Vec<LitStr>,
    pub writes: Vec<LitStr>,
}

/// One field.
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the attribute")]
pub struct Field {
    pub ident: Ident,
    pub docs: Vec<Attribute>,
    pub fact: Named,
    /// What it holds, inside of `Observed`.
    pub value: Type,
    pub is_tags: bool,
    pub is_required: bool,
    /// Whether it is a resource policy, of which AWS refuses some texts that it shows.
    pub is_policy: bool,
    /// Whether it is a document that is written as a whole, as a policy is.
    pub is_document: bool,
    pub absent: Option<Path>,
    pub undo: Option<Path>,
    pub change: Option<Ident>,
    pub group: Option<LitInt>,
    pub apply_order: Option<LitInt>,
    pub restore_order: Option<LitInt>,
    /// How many minutes AWS may take to show its change.
    pub settles: Option<LitInt>,
}

impl Facts {
    pub fn parse(input: &DeriveInput) -> Result<Self> {
        let Data::Struct(data) = &input.data else {
            return Err(Error::new(input.span(), "expected a struct of facts"));
        };
        let Fields::Named(named) = &data.fields else {
            return Err(Error::new(input.span(), "expected a struct whose fields have names"));
        };
        let mut facts = Self {
            name: input.ident.clone(),
            fields: named.named.iter().map(Field::parse).collect::<Result<_>>()?,
            also: Vec::new(),
            change: None,
        };
        for attribute in input.attrs.iter().filter(|one| one.path().is_ident("facts")) {
            attribute.parse_nested_meta(|meta| facts.set(&meta))?;
        }
        if facts.change.is_some()
            && let Some(field) = facts.fields.iter().find(|field| field.has_change_options())
        {
            let why = "its change is written by hand: expected no option of a derived change here";
            return Err(Error::new(field.ident.span(), why));
        }
        if let Some(field) = facts
            .fields
            .iter()
            .find(|field| field.fact.reads.is_empty() && facts.of(&field.fact.name).all(|one| one.reads.is_empty()))
        {
            return Err(Error::new(
                field.ident.span(),
                "expected the IAM actions of its read: read(\"service:Action\")",
            ));
        }
        Ok(facts)
    }

    fn set(&mut self, meta: &ParseNestedMeta) -> Result<()> {
        if meta.path.is_ident("change") {
            self.change = Some(meta.value()?.parse()?);
            return Ok(());
        }
        if meta.path.is_ident("also") {
            let content;
            syn::parenthesized!(content in meta.input);
            let mut named = Named {
                name: content.parse()?,
                reads: Vec::new(),
                writes: Vec::new(),
            };
            while content.parse::<Option<Token![,]>>()?.is_some() && !content.is_empty() {
                let kind: Ident = content.parse()?;
                let actions;
                syn::parenthesized!(actions in content);
                let actions = Punctuated::<LitStr, Token![,]>::parse_terminated(&actions)?
                    .into_iter()
                    .collect();
                match kind.to_string().as_str() {
                    "read" => named.reads = actions,
                    "write" => named.writes = actions,
                    _ => return Err(Error::new(kind.span(), "expected read(…) or write(…)")),
                }
            }
            self.also.push(named);
            return Ok(());
        }
        Err(meta.error("expected change = Type or also(Name, read(…), write(…))"))
    }

    /// All that says something of one fact.
    pub fn of<'a>(&'a self, name: &'a Ident) -> impl Iterator<Item = &'a Named> {
        let fields = self.fields.iter().map(|field| &field.fact);
        fields.chain(&self.also).filter(move |fact| fact.name == *name)
    }

    /// The names of the facts, each once, in the order of the fields.
    pub fn names(&self) -> Vec<&Ident> {
        let mut names: Vec<&Ident> = Vec::new();
        for fact in self.fields.iter().map(|field| &field.fact).chain(&self.also) {
            if !names.contains(&&fact.name) {
                names.push(&fact.name);
            }
        }
        names
    }

    /// The fields that are set as a whole.
    pub fn settable(&self) -> impl Iterator<Item = &Field> {
        let derived = self.change.is_none();
        self.fields
            .iter()
            .filter(move |field| derived && !field.fact.writes.is_empty())
    }
}

impl Field {
    fn parse(field: &syn::Field) -> Result<Self> {
        let Some(ident) = field.ident.clone() else {
            return Err(Error::new(field.span(), "expected a field with a name"));
        };
        let mut parsed = Self {
            docs: field
                .attrs
                .iter()
                .filter(|one| one.path().is_ident("doc"))
                .cloned()
                .collect(),
            fact: Named {
                name: pascal(&ident),
                reads: Vec::new(),
                writes: Vec::new(),
            },
            value: observed(&field.ty)?,
            ident,
            is_tags: false,
            is_required: false,
            is_policy: false,
            is_document: false,
            absent: None,
            undo: None,
            change: None,
            group: None,
            apply_order: None,
            restore_order: None,
            settles: None,
        };
        for attribute in field.attrs.iter().filter(|one| one.path().is_ident("fact")) {
            attribute.parse_nested_meta(|meta| parsed.set(&meta))?;
        }
        Ok(parsed)
    }

    fn set(&mut self, meta: &ParseNestedMeta) -> Result<()> {
        let Some(option) = meta.path.get_ident().map(ToString::to_string) else {
            return Err(meta.error("expected the name of an option"));
        };
        match option.as_str() {
            "tags" => self.is_tags = true,
            "required" => self.is_required = true,
            "policy" => (self.is_policy, self.is_document) = (true, true),
            "document" => self.is_document = true,
            "read" => self.fact.reads = actions(meta)?,
            "write" => self.fact.writes = actions(meta)?,
            "name" => self.fact.name = meta.value()?.parse()?,
            "absent" => self.absent = Some(meta.value()?.parse()?),
            "undo" => self.undo = Some(meta.value()?.parse()?),
            "change" => self.change = Some(meta.value()?.parse()?),
            "group" => self.group = Some(meta.value()?.parse()?),
            "apply_order" => self.apply_order = Some(meta.value()?.parse()?),
            "restore_order" => self.restore_order = Some(meta.value()?.parse()?),
            "settles_minutes" => self.settles = Some(meta.value()?.parse()?),
            _ => {
                return Err(meta.error(
                    "expected read, write, tags, name, required, policy, document, absent, undo, change, group, apply_order, restore_order or settles_minutes",
                ));
            }
        }
        Ok(())
    }

    fn has_change_options(&self) -> bool {
        let options = [
            self.group.is_some(),
            self.apply_order.is_some(),
            self.restore_order.is_some(),
            self.settles.is_some(),
        ];
        self.is_required
            || self.is_document
            || self.absent.is_some()
            || self.undo.is_some()
            || self.change.is_some()
            || options.contains(&true)
    }
}

fn actions(meta: &ParseNestedMeta) -> Result<Vec<LitStr>> {
    let content;
    syn::parenthesized!(content in meta.input);
    Ok(Punctuated::<LitStr, Token![,]>::parse_terminated(&content)?
        .into_iter()
        .collect())
}

/// What is inside of `Observed<…>`.
fn observed(of: &Type) -> Result<Type> {
    let refused = || Error::new(of.span(), "expected Observed<…>: not read, absent, or what it is");
    let Type::Path(path) = of else { return Err(refused()) };
    let last = path
        .path
        .segments
        .last()
        .filter(|last| last.ident == "Observed")
        .ok_or_else(refused)?;
    match &last.arguments {
        PathArguments::AngleBracketed(arguments) => match arguments.args.first() {
            Some(GenericArgument::Type(inner)) => Ok(inner.clone()),
            _ => Err(refused()),
        },
        _ => Err(refused()),
    }
}

/// `public_access_block` as `PublicAccessBlock`.
fn pascal(snake: &Ident) -> Ident {
    let name = snake.to_string();
    let words = name.split('_').map(|word| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_uppercase().collect::<String>() + letters.as_str()
        })
    });
    format_ident!("{}", words.collect::<String>(), span = snake.span())
}
