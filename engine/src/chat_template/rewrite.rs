//! Rewrites a parsed template so that every operation which could make or compare a large value, and every turn of a
//! loop, goes through a function that measures first.
//!
//! The library's own operators cannot be replaced, and its fuel counts instructions, whatever they do: `'a' * 99000000`
//! is one. What chat templates have no use for (other templates, splats, escaping of HTML) is refused by name.

use minijinja::machinery::Span;
use minijinja::machinery::ast::{
    BinOp, BinOpKind, Call, CallArg, CallBlock, Compare, CompareOpKind, Const, Do, EmitExpr, Expr, Filter,
    FilterBlock, ForLoop, GetAttr, GetItem, IfCond, IfExpr, List, Macro, Map, Set, SetBlock, Slice, Spanned,
    Stmt, Template, Test, Tuple, UnaryOp, UnaryOpKind, Var, WithBlock,
};
use minijinja::machinery::ast::{Break, Continue};
use minijinja::{Error, ErrorKind, Value};

use super::operators::{BUILT, CHAIN, FITTED, ITEM, KEPT, KWARGS, TICK};

type Made<T> = Result<T, Error>;

/// Gives the same template with all such operations guarded.
pub(super) fn guarded<'a>(stmt: &Stmt<'a>) -> Made<Stmt<'a>> {
    Ok(match stmt {
        Stmt::Template(s) => {
            let children = body(&s.children)?;
            Stmt::Template(Spanned::new(Template { children }, s.span()))
        }
        Stmt::EmitExpr(s) => emit(expr(&s.expr)?, s.span()),
        // Only printed values are counted, so text of the template becomes one.
        Stmt::EmitRaw(s) => emit(constant(s.raw, s.span()), s.span()),
        Stmt::ForLoop(s) => Stmt::ForLoop(Spanned::new(for_loop(s)?, s.span())),
        Stmt::IfCond(s) => {
            let made = IfCond {
                expr: expr(&s.expr)?,
                true_body: body(&s.true_body)?,
                false_body: body(&s.false_body)?,
            };
            Stmt::IfCond(Spanned::new(made, s.span()))
        }
        Stmt::WithBlock(s) => {
            let assignments = s
                .assignments
                .iter()
                .map(|(to, from)| Ok((names(to)?, expr(from)?)))
                .collect::<Made<_>>()?;
            let body = body(&s.body)?;
            Stmt::WithBlock(Spanned::new(WithBlock { assignments, body }, s.span()))
        }
        Stmt::Set(s) => {
            let (target, from) = assignment(&s.target, expr(&s.expr)?, s.span())?;
            Stmt::Set(Spanned::new(Set { target, expr: from }, s.span()))
        }
        Stmt::SetBlock(s) => {
            let made = SetBlock {
                target: target(&s.target)?,
                filter: s.filter.as_ref().map(expr).transpose()?,
                body: body(&s.body)?,
            };
            Stmt::SetBlock(Spanned::new(made, s.span()))
        }
        Stmt::FilterBlock(s) => {
            let (filter, body) = (expr(&s.filter)?, body(&s.body)?);
            Stmt::FilterBlock(Spanned::new(FilterBlock { filter, body }, s.span()))
        }
        Stmt::Macro(s) => Stmt::Macro(Spanned::new(macro_of(s)?, s.span())),
        Stmt::CallBlock(s) => {
            let call = Spanned::new(call_of(&s.call)?, s.call.span());
            let macro_decl = Spanned::new(macro_of(&s.macro_decl)?, s.macro_decl.span());
            Stmt::CallBlock(Spanned::new(CallBlock { call, macro_decl }, s.span()))
        }
        Stmt::Continue(s) => Stmt::Continue(Spanned::new(Continue, s.span())),
        Stmt::Break(s) => Stmt::Break(Spanned::new(Break, s.span())),
        Stmt::Do(s) => {
            let call = Spanned::new(call_of(&s.call)?, s.call.span());
            Stmt::Do(Spanned::new(Do { call }, s.span()))
        }
        Stmt::AutoEscape(_) => return Err(unsupported("{% autoescape %}")),
        Stmt::Block(_) => return Err(unsupported("{% block %}")),
        Stmt::Import(_) | Stmt::FromImport(_) => return Err(unsupported("{% import %}")),
        Stmt::Extends(_) => return Err(unsupported("{% extends %}")),
        Stmt::Include(_) => return Err(unsupported("{% include %}")),
    })
}

fn unsupported(what: &str) -> Error {
    let text = format!("{what} is not supported in chat templates");
    Error::new(ErrorKind::InvalidOperation, text)
}

fn body<'a>(stmts: &[Stmt<'a>]) -> Made<Vec<Stmt<'a>>> {
    stmts.iter().map(guarded).collect()
}

/// A body that may run many times.
fn ticking<'a>(stmts: &[Stmt<'a>], span: Span) -> Made<Vec<Stmt<'a>>> {
    let call = Spanned::new(plain_call(TICK, Vec::new(), span), span);
    let tick = Stmt::Do(Spanned::new(Do { call }, span));
    std::iter::once(Ok(tick))
        .chain(stmts.iter().map(guarded))
        .collect()
}

fn emit(expr: Expr<'_>, span: Span) -> Stmt<'_> {
    Stmt::EmitExpr(Spanned::new(EmitExpr { expr }, span))
}

fn constant<'a>(text: &str, span: Span) -> Expr<'a> {
    let value = Value::from(text);
    Expr::Const(Spanned::new(Const { value }, span))
}

fn for_loop<'a>(s: &ForLoop<'a>) -> Made<ForLoop<'a>> {
    Ok(ForLoop {
        target: names(&s.target)?,
        iter: expr(&s.iter)?,
        filter_expr: s.filter_expr.as_ref().map(expr).transpose()?,
        recursive: s.recursive,
        body: ticking(&s.body, s.target.span())?,
        else_body: body(&s.else_body)?,
    })
}

fn macro_of<'a>(s: &Spanned<Macro<'a>>) -> Made<Macro<'a>> {
    let span = s.span();
    let mut args: Vec<Expr<'a>> = s.args.iter().map(names).collect::<Made<_>>()?;
    let mut defaults: Vec<Expr<'a>> = s.defaults.iter().map(expr).collect::<Made<_>>()?;
    let has_kwargs = |arg: &Expr<'a>| matches!(arg, Expr::Var(var) if var.id == KWARGS);
    if !args.iter().any(has_kwargs) {
        let (keys, values) = (Vec::new(), Vec::new());
        args.push(var(KWARGS, span));
        defaults.push(Expr::Map(Spanned::new(Map { keys, values }, span)));
    }
    Ok(Macro {
        name: s.name,
        args,
        defaults,
        body: ticking(&s.body, s.span())?,
    })
}

/// What is assigned to names; a name in a namespace takes only what cannot hold the namespace itself.
fn assignment<'a>(to: &Expr<'a>, from: Expr<'a>, span: Span) -> Made<(Expr<'a>, Expr<'a>)> {
    match names(to) {
        Ok(to) => Ok((to, from)),
        Err(_) => Ok((target(to)?, call(KEPT, vec![from], span))),
    }
}

/// A target that may be a name in a namespace.
fn target<'a>(to: &Expr<'a>) -> Made<Expr<'a>> {
    if let Expr::GetAttr(s) = to {
        return Ok(Expr::GetAttr(Spanned::new(get_attr(s)?, s.span())));
    }
    names(to)
}

/// A target of plain names.
fn names<'a>(to: &Expr<'a>) -> Made<Expr<'a>> {
    if let Expr::Var(s) = to {
        return Ok(var(s.id, s.span()));
    }
    if let Expr::List(s) = to {
        let items = s.items.iter().map(names).collect::<Made<_>>()?;
        return Ok(Expr::List(Spanned::new(List { items }, s.span())));
    }
    if let Expr::Tuple(s) = to {
        let items = s.items.iter().map(names).collect::<Made<_>>()?;
        return Ok(Expr::Tuple(Spanned::new(Tuple { items }, s.span())));
    }
    Err(unsupported(&format!("assigning to a {}", to.description())))
}

fn var(id: &str, span: Span) -> Expr<'_> {
    Expr::Var(Spanned::new(Var { id }, span))
}

fn plain_call<'a>(name: &'static str, args: Vec<Expr<'a>>, span: Span) -> Call<'a> {
    Call {
        expr: var(name, span),
        args: args.into_iter().map(CallArg::Pos).collect(),
    }
}

fn call<'a>(name: &'static str, args: Vec<Expr<'a>>, span: Span) -> Expr<'a> {
    Expr::Call(Spanned::new(plain_call(name, args, span), span))
}

fn optional<'a>(from: Option<&Expr<'a>>) -> Made<Option<Expr<'a>>> {
    from.map(expr).transpose()
}

fn expr<'a>(from: &Expr<'a>) -> Made<Expr<'a>> {
    let span = from.span();
    Ok(match from {
        Expr::Var(s) => var(s.id, span),
        Expr::Const(s) => {
            let value = s.value.clone();
            Expr::Const(Spanned::new(Const { value }, span))
        }
        Expr::Slice(s) => {
            let made = Slice {
                expr: expr(&s.expr)?,
                start: optional(s.start.as_ref())?,
                stop: optional(s.stop.as_ref())?,
                step: optional(s.step.as_ref())?,
            };
            call(BUILT, vec![Expr::Slice(Spanned::new(made, span))], span)
        }
        Expr::UnaryOp(s) => {
            // The library's type cannot be copied.
            let op = if matches!(s.op, UnaryOpKind::Not) {
                UnaryOpKind::Not
            } else {
                UnaryOpKind::Neg
            };
            let expr = expr(&s.expr)?;
            Expr::UnaryOp(Spanned::new(UnaryOp { op, expr }, span))
        }
        Expr::BinOp(s) => binary(s, span)?,
        Expr::Compare(s) => compare(s, span)?,
        Expr::IfExpr(s) => {
            let made = IfExpr {
                test_expr: expr(&s.test_expr)?,
                true_expr: expr(&s.true_expr)?,
                false_expr: optional(s.false_expr.as_ref())?,
            };
            Expr::IfExpr(Spanned::new(made, span))
        }
        Expr::Filter(s) => {
            let made = Filter {
                name: s.name,
                expr: optional(s.expr.as_ref())?,
                args: args(&s.args)?,
            };
            Expr::Filter(Spanned::new(made, span))
        }
        Expr::Test(s) => {
            let made = Test {
                name: s.name,
                expr: expr(&s.expr)?,
                args: args(&s.args)?,
            };
            Expr::Test(Spanned::new(made, span))
        }
        Expr::GetAttr(s) => Expr::GetAttr(Spanned::new(get_attr(s)?, span)),
        Expr::GetItem(s) => get_item(s, span)?,
        Expr::Call(s) => Expr::Call(Spanned::new(call_of(s)?, span)),
        Expr::List(s) => {
            let items = s.items.iter().map(expr).collect::<Made<_>>()?;
            literal(Expr::List(Spanned::new(List { items }, span)), span)
        }
        Expr::Tuple(s) => {
            let items = s.items.iter().map(expr).collect::<Made<_>>()?;
            literal(Expr::Tuple(Spanned::new(Tuple { items }, span)), span)
        }
        Expr::Map(s) => {
            let keys = s.keys.iter().map(expr).collect::<Made<_>>()?;
            let values = s.values.iter().map(expr).collect::<Made<_>>()?;
            literal(Expr::Map(Spanned::new(Map { keys, values }, span)), span)
        }
    })
}

fn binary<'a>(s: &BinOp<'a>, span: Span) -> Made<Expr<'a>> {
    let operator = match s.op {
        BinOpKind::Add => "+",
        BinOpKind::Mul => "*",
        BinOpKind::Rem => "%",
        BinOpKind::Concat => "~",
        BinOpKind::Eq => "==",
        BinOpKind::Ne => "!=",
        BinOpKind::Lt => "<",
        BinOpKind::Lte => "<=",
        BinOpKind::Gt => ">",
        BinOpKind::Gte => ">=",
        BinOpKind::In => "in",
        // Numbers in, a number out; or a choice between two values.
        BinOpKind::ScAnd | BinOpKind::ScOr | BinOpKind::Sub | BinOpKind::Div => return plain_binary(s, span),
        BinOpKind::FloorDiv | BinOpKind::Pow => return plain_binary(s, span),
    };
    Ok(call(operator, vec![expr(&s.left)?, expr(&s.right)?], span))
}

fn plain_binary<'a>(s: &BinOp<'a>, span: Span) -> Made<Expr<'a>> {
    let made = BinOp {
        op: s.op,
        left: expr(&s.left)?,
        right: expr(&s.right)?,
    };
    Ok(Expr::BinOp(Spanned::new(made, span)))
}

fn compare<'a>(s: &Compare<'a>, span: Span) -> Made<Expr<'a>> {
    let word = |op: CompareOpKind| match op {
        CompareOpKind::Eq => "==",
        CompareOpKind::Ne => "!=",
        CompareOpKind::Lt => "<",
        CompareOpKind::Lte => "<=",
        CompareOpKind::Gt => ">",
        CompareOpKind::Gte => ">=",
        CompareOpKind::In => "in",
        CompareOpKind::NotIn => "not in",
    };
    if let [one] = s.ops.as_slice() {
        return Ok(call(word(one.op), vec![expr(&s.expr)?, expr(&one.expr)?], span));
    }
    let mut links = vec![expr(&s.expr)?];
    for link in &s.ops {
        links.push(constant(word(link.op), span));
        links.push(expr(&link.expr)?);
    }
    Ok(call(CHAIN, links, span))
}

fn get_attr<'a>(s: &GetAttr<'a>) -> Made<GetAttr<'a>> {
    Ok(GetAttr {
        expr: expr(&s.expr)?,
        name: s.name,
    })
}

/// A key written as a text is looked up in a map; anything else may count letters of a long text.
fn get_item<'a>(s: &GetItem<'a>, span: Span) -> Made<Expr<'a>> {
    let is_name = matches!(&s.subscript_expr, Expr::Const(key) if key.value.as_str().is_some());
    let (of, subscript_expr) = (expr(&s.expr)?, expr(&s.subscript_expr)?);
    if is_name {
        let made = GetItem {
            expr: of,
            subscript_expr,
        };
        return Ok(Expr::GetItem(Spanned::new(made, span)));
    }
    Ok(call(ITEM, vec![of, subscript_expr], span))
}

fn call_of<'a>(s: &Call<'a>) -> Made<Call<'a>> {
    // It compares its arguments with those of the last turn.
    if matches!(&s.expr, Expr::GetAttr(attr) if attr.name == "changed") {
        return Err(unsupported("loop.changed"));
    }
    Ok(Call {
        expr: expr(&s.expr)?,
        args: fitted(&s.expr, args(&s.args)?),
    })
}

/// A macro takes arguments by name that it does not have, in its `kwargs`. Which names those are is known once it is
/// called.
fn fitted<'a>(called: &Expr<'a>, args: Vec<CallArg<'a>>) -> Vec<CallArg<'a>> {
    let Expr::Var(name) = called else {
        return args;
    };
    let is_named = |arg: &CallArg<'a>| matches!(arg, CallArg::Kwarg(..));
    if OWN_FUNCTIONS.contains(&name.id) || !args.iter().any(is_named) {
        return args;
    }
    let span = name.span();
    let (named, mut args): (Vec<_>, Vec<_>) = args.into_iter().partition(is_named);
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    for arg in named {
        if let CallArg::Kwarg(key, value) = arg {
            keys.push(constant(key, span));
            values.push(value);
        }
    }
    let map = literal(Expr::Map(Spanned::new(Map { keys, values }, span)), span);
    args.push(CallArg::KwargSplat(call(
        FITTED,
        vec![var(name.id, span), map],
        span,
    )));
    args
}

/// Functions that are no macros.
const OWN_FUNCTIONS: [&str; 4] = ["namespace", "dict", "range", "cycler"];

fn args<'a>(from: &[CallArg<'a>]) -> Made<Vec<CallArg<'a>>> {
    let arg = |arg: &CallArg<'a>| match arg {
        CallArg::Pos(value) => Ok(CallArg::Pos(expr(value)?)),
        CallArg::Kwarg(name, value) => Ok(CallArg::Kwarg(name, expr(value)?)),
        CallArg::PosSplat(_) | CallArg::KwargSplat(_) => Err(unsupported("unpacking of arguments")),
    };
    from.iter().map(arg).collect()
}

/// A list, tuple or map as it is written, measured once it is made.
fn literal<'a>(made: Expr<'a>, span: Span) -> Expr<'a> {
    call(BUILT, vec![made], span)
}
