"""STS operations. Called by dispatch; calls core/policy.py and the identities that IAM publishes."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

from sagewright.core import policy
from sagewright.core.call import Call, Principal
from sagewright.core.errors import AwsError
from sagewright.core.seams import Credentials
from sagewright.core.store import Row

_CHAINED_LIMIT = 3600
_ROOT_LIMIT = 3600
_HALF_DAY = 43200
_PACKED_LIMIT = 2048


def get_caller_identity(call: Call) -> dict[str, Any]:
    """Who signed the request."""
    return {"UserId": call.principal.user_id, "Account": call.principal.account, "Arn": call.principal.arn}


def assume_role(call: Call) -> dict[str, Any]:
    """Temporary credentials of a role whose trust policy names the caller."""
    wanted, seconds = call.params["RoleArn"], call.params.get("DurationSeconds", 3600)
    role = _trusting_role(call, wanted)
    if seconds > role.body.get("MaxSessionDuration", 3600):
        raise _invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    if _is_session(call.principal) and seconds > _CHAINED_LIMIT:
        raise _invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role "
                       "chaining.")
    session = _session(call)
    name = call.params["RoleSessionName"]
    partition = role.arn.split(":")[1]
    arn = f"arn:{partition}:sts::{role.account}:assumed-role/{role.name}/{name}"
    user_id = f"{role.body['RoleId']}:{name}"
    made = _issue(call, Principal(role.account, arn, user_id, policy_arn=role.arn, session=session), seconds)
    answer = {"Credentials": made, "AssumedRoleUser": {"AssumedRoleId": user_id, "Arn": arn}, **_packed(session)}
    if identity := call.params.get("SourceIdentity"):
        answer["SourceIdentity"] = identity
    return answer


def get_session_token(call: Call) -> dict[str, Any]:
    """Temporary credentials of the user or root who asks."""
    _refuse_sessions(call, "GetSessionToken")
    seconds = call.params.get("DurationSeconds", _HALF_DAY)
    if call.principal.is_root:
        seconds = min(seconds, _ROOT_LIMIT)
    return {"Credentials": _issue(call, call.principal, seconds)}


def get_federation_token(call: Call) -> dict[str, Any]:
    """Temporary credentials for somebody whom the caller vouches for."""
    _refuse_sessions(call, "GetFederationToken")
    seconds = call.params.get("DurationSeconds", _HALF_DAY)
    if call.principal.is_root:
        seconds = min(seconds, _ROOT_LIMIT)
    name, session = call.params["Name"], _session(call)
    arn = f"arn:{call.world.config.partition}:sts::{call.account}:federated-user/{name}"
    user_id = f"{call.account}:{name}"
    owner = call.principal.policy_arn or call.principal.arn
    made = _issue(call, Principal(call.account, arn, user_id, policy_arn=owner, session=session), seconds)
    return {"Credentials": made, "FederatedUser": {"FederatedUserId": user_id, "Arn": arn}, **_packed(session)}


def get_access_key_info(call: Call) -> dict[str, Any]:
    """The account that a key belongs to."""
    known = call.world.parts["identities"].lookup(call.params["AccessKeyId"])
    if known is None:
        raise AwsError("ValidationError", f"The Access Key with id {call.params['AccessKeyId']} cannot be found.")
    return {"Account": known[1].account}


def assume_role_with_web_identity(call: Call) -> dict[str, Any]:
    """Refused: there are no identity providers to vouch for a token."""
    raise AwsError("InvalidIdentityToken", f"No OpenIDConnect provider found in your account for "
                                           f"{_issuer(call.params['WebIdentityToken'])}")


def assume_role_with_saml(call: Call) -> dict[str, Any]:
    """Refused: there are no SAML providers."""
    raise AwsError("InvalidIdentityToken", f"No SAML provider {call.params['PrincipalArn']} found in your account")


def decode_authorization_message(call: Call) -> dict[str, Any]:
    """Refused: this server issues no encoded messages, so none can be valid."""
    raise AwsError("InvalidAuthorizationMessageException", "Message is not valid")


# -- who may assume what -------------------------------------------------------------------------------------------
def _trusting_role(call: Call, wanted: str) -> Row:
    """The role, if it exists and trusts the caller; the same AccessDenied for both failures, as AWS."""
    role = call.store.by_arn(wanted)
    if role is None or role.kind != "iam:Role" or not _trusts(call, role):
        raise AwsError("AccessDenied", f"User: {call.principal.arn} is not authorized to perform: sts:AssumeRole on "
                                       f"resource: {wanted}", 403)
    return role


def _trusts(call: Call, role: Row) -> bool:
    """Whether the trust policy names the caller. The account's root always may (AWS refuses it any role)."""
    if call.principal.is_root and call.principal.account == role.account:
        return True
    try:
        trust = policy.statements(role.body["AssumeRolePolicyDocument"])
    except ValueError:
        return False
    actions = ["sts:AssumeRole"]
    if call.params.get("Tags"):
        actions.append("sts:TagSession")
    if call.params.get("SourceIdentity"):
        actions.append("sts:SetSourceIdentity")
    names, context = policy.names(call.principal), _context(call)
    return all(policy.evaluate(trust, action, role.arn, context, names) == policy.ALLOW for action in actions)


def _context(call: Call) -> dict[str, Any]:
    tags = call.params.get("Tags") or []
    context: dict[str, Any] = {
        "aws:PrincipalArn": call.principal.policy_arn or call.principal.arn,
        "aws:PrincipalAccount": call.principal.account, "aws:userid": call.principal.user_id,
        "aws:CurrentTime": str(call.now), "aws:EpochTime": str(call.now),
        "sts:RoleSessionName": call.params["RoleSessionName"], "aws:SecureTransport": _secure(call),
    }
    for key, member in (("sts:ExternalId", "ExternalId"), ("sts:SourceIdentity", "SourceIdentity")):
        if member in call.params:
            context[key] = call.params[member]
    if tags:
        context["aws:TagKeys"] = [tag["Key"] for tag in tags]
        context.update({f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in tags})
    if call.http is not None and call.http.client:
        context["aws:SourceIp"] = call.http.client.rsplit(":", 1)[0]
    return context


def _secure(call: Call) -> bool:
    return call.http is not None and call.http.scheme == "https"


def _is_session(principal: Principal) -> bool:
    return ":assumed-role/" in principal.arn


def _refuse_sessions(call: Call, operation: str) -> None:
    known = call.world.parts["identities"].lookup(call.principal.access_key)
    if _is_session(call.principal) or (known is not None and known[2] is not None):
        raise AwsError("AccessDenied", f"Cannot call {operation} with session credentials", 403)


# -- what a session carries ----------------------------------------------------------------------------------------
def _session(call: Call) -> dict[str, Any]:
    """Session policies and tags, recorded with the principal for the policy engine."""
    session: dict[str, Any] = {}
    if document := call.params.get("Policy"):
        try:
            policy.statements(document)
        except ValueError:
            raise AwsError("MalformedPolicyDocument", "The policy is not in the valid JSON format.") from None
        session["policy"] = document
    if arns := call.params.get("PolicyArns"):
        session["policy_arns"] = [each["arn"] for each in arns if "arn" in each]
    inherited = call.principal.session
    tags = {key: inherited["tags"][key] for key in inherited.get("transitive", ()) if key in inherited.get("tags", {})}
    for tag in call.params.get("Tags") or []:
        if tag["Key"].lower() in {key.lower() for key in tags}:
            raise _invalid("One of the specified transitive tag keys can't be set because it conflicts with a "
                           "transitive tag key from the calling session.")
        tags[tag["Key"]] = tag["Value"]
    if tags:
        session["tags"] = tags
    if transitive := call.params.get("TransitiveTagKeys"):
        session["transitive"] = transitive
    return session


def _packed(session: dict[str, Any]) -> dict[str, int]:
    """PackedPolicySize: how much of the allowed size policies and tags take, in per cent."""
    if not session:
        return {}
    percent = -(-100 * len(json.dumps(session)) // _PACKED_LIMIT)
    if percent > 100:
        raise AwsError("PackedPolicyTooLarge", f"Packed size of session tags consumes {percent}% of allotted space.")
    return {"PackedPolicySize": percent}


def _issue(call: Call, principal: Principal, seconds: int) -> dict[str, Any]:
    made: Credentials = call.world.parts["identities"].issue(replace(principal, access_key=""), seconds)
    return {"AccessKeyId": made.access_key, "SecretAccessKey": made.secret_key, "SessionToken": made.token,
            "Expiration": int(made.expires)}


def _issuer(token: str) -> str:
    """The issuer that a web identity token names."""
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return str(claims["iss"])
    except (IndexError, ValueError, KeyError, TypeError):
        raise AwsError("InvalidIdentityToken", "The ID Token provided is not a valid JWT. (You may see this error if "
                                               "you sent an Access Token)") from None


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationError", message)
