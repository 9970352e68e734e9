"""The one client for all calls to language models behind a server that speaks OpenAI's protocol (`pip install 'emorl[llm]'`).

>>> from emorl.llm import Client, Request, Server
>>> client = Client(Server("my-model", base_url="http://localhost:8000/v1"))
>>> client.ask_all([Request((("user", "Hello"),))])  # doctest: +SKIP
[Answer(text='Hello! How can I help you?', ...)]
"""

from emorl.llm.budget import Budget, Meter
from emorl.llm.cache import Cache
from emorl.llm.client import Client
from emorl.llm.prompt import Prompt
from emorl.llm.request import Answer, LLMError, LLMFailure, LLMSetupError, Request, Server
from emorl.llm.verdict import Verdict

__all__ = [
    "Answer",
    "Budget",
    "Cache",
    "Client",
    "LLMError",
    "LLMFailure",
    "LLMSetupError",
    "Meter",
    "Prompt",
    "Request",
    "Server",
    "Verdict",
]
