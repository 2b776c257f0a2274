"""Members that are named by what a series is about: `country` in one model, `store` in another."""

from functools import lru_cache
from types import GenericAlias
from typing import Annotated, Any, ClassVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, create_model


class Named(BaseModel):
    """An answer or a body whose members `series` and `every` have the noun and its plural for names."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)
    noun: ClassVar[str] = "country"


@lru_cache
def named[Model: BaseModel](model: type[Model], noun: str, plural: str) -> type[Model]:
    """The class with `series` and `every` named, also in the models that its members hold."""
    names = {"series": noun, "every": plural}
    fields: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        kept = _held(field.annotation, noun, plural)
        if name in names and issubclass(model, Named):
            shown: dict[str, Any] = {"description": "Its identifier."}
            if noun == "country":
                shown = {"description": field.description, "examples": field.examples}
            if not field.is_required():
                shown["default"] = field.default
            fields[name] = (_annotated(kept, field.metadata), Field(alias=names[name], **shown))
        elif kept is not field.annotation:
            fields[name] = (_annotated(kept, field.metadata), field)
    if not fields:
        return model
    made = create_model(model.__name__, __base__=model, __doc__=model.__doc__, **fields)
    made.__module__ = model.__module__
    if issubclass(made, Named):
        made.noun = noun
    return made


def _annotated(annotation: Any, metadata: list[Any]) -> Any:
    return Annotated[annotation, *metadata] if metadata else annotation


def _held(annotation: Any, noun: str, plural: str) -> Any:
    """The annotation with models in it named."""
    if (
        isinstance(annotation, type)
        and not isinstance(annotation, GenericAlias)
        and issubclass(annotation, BaseModel)
    ):
        return named(annotation, noun, plural)
    if get_origin(annotation) is list:
        (inner,) = get_args(annotation)
        held = _held(inner, noun, plural)
        return annotation if held is inner else list[held]  # type: ignore[valid-type]
    return annotation
