"""Sentences of the endpoint (``launcher.api``) -> Chinese, with the same placeholders."""

from __future__ import annotations

API = {
    "The request cannot be read: it is not JSON, or nested too deeply": "无法读取请求：不是 JSON，或嵌套过深",
    "Send a JSON object with model and messages.": "请发送包含 model 和 messages 的 JSON 对象。",
    "The request cannot be read: it is no JSON object": "无法读取请求：不是 JSON 对象",
    "The request has no {field}": "请求中缺少 {field}",
    "It is needed there, as in OpenAI's API.": "与 OpenAI 接口一样，此项必填。",
    "{field} is nothing that this endpoint knows": "此接口不认识 {field}",
    "Leave it out. These are read: {names}.": "请去掉它。可用的字段：{names}。",
    "{field} does not say what it is": "{field} 没有说明自己的类型",
    "Its {key} is missing.": "缺少 {key}。",
    "{field} cannot be {value}": "{field} 不能为 {value}",
    "It is one of {allowed}.": "可选值：{allowed}。",
    "It is a text, or a list of parts.": "应为文本，或由若干部分组成的列表。",
    "It is a list of messages.": "应为消息的列表。",
    "It is a text, or a list of texts.": "应为文本，或文本的列表。",
    "It is a text.": "应为文本。",
    "It is true or false.": "应为 true 或 false。",
    "Leave it out: this endpoint does not support it.": "请去掉它：此接口不支持。",
    "It is an object, as in OpenAI's API.": "应为对象，格式同 OpenAI 接口。",
    "{field} cannot be used: these models call no tools": "不能使用 {field}：这些模型不会调用工具",
    "Leave {field} out, or switch tools off in the program.": "请去掉 {field}，或在程序中关闭工具功能。",
    "{field} cannot be {value}: this endpoint does not support it": "{field} 不能为 {value}：此接口不支持",
    "Leave {field} out.": "请去掉 {field}。",
    "The request has more than {most} pictures": "请求中的图片超过 {most} 张",
    "Begin a new conversation, or send fewer pictures.": "请开始新的对话，或少发几张图片。",
    "Send it again once there is room on the server's disk.": "请在服务器磁盘有空间后重新发送。",
    "{field} is an address: nothing is fetched from the network": "{field} 是网址：不会从网络下载任何内容",
    "Send the picture itself: data:image/png;base64,…": "请直接发送图片：data:image/png;base64,…",
    "Send the picture itself: data:image/png;base64,… Or start the launcher with: {command}": (
        "请直接发送图片：data:image/png;base64,… 或这样启动 launcher：{command}"
    ),
    "{address} is not fetched: pictures come from {hosts} alone": "不会下载 {address}：图片只能来自 {hosts}",
    "{address} is not fetched: it is in the network of the machine that runs the launcher": (
        "不会下载 {address}：它位于运行 launcher 的机器的网络中"
    ),
    "{address} cannot be fetched: only http and https addresses can": (
        "无法下载 {address}：只支持 http 和 https 网址"
    ),
    "Check the address.": "请检查网址。",
    "{address} could not be fetched: {reason}": "未能下载 {address}：{reason}",
    "See in a browser whether it is there, or give the picture itself instead of its address.": (
        "请在浏览器中查看它是否存在，或直接给出图片而不是网址。"
    ),
    "{address} took longer than {seconds:.0f} s to fetch": "下载 {address} 超过 {seconds:.0f} 秒",
    "Give the picture itself instead of its address.": "请直接给出图片，而不是网址。",
    "{address} is larger than the {limit_mb:g} MB a picture may have": (
        "{address} 超过图片的 {limit_mb:g} MB 上限"
    ),
    "The pictures at this request's addresses are larger than {limit_mb:g} MB together": (
        "此请求中各网址的图片合计超过 {limit_mb:g} MB"
    ),
    "{field} cannot be {value}: it is no data: URL": "{field} 不能为 {value}：不是 data: URL",
    "{field} cannot be read: it is no base64": "无法读取 {field}：不是 base64",
    "Send the whole file in base64, without line breaks: data:image/png;base64,…": (
        "请以 base64 发送整个文件，不要换行：data:image/png;base64,…"
    ),
    "The request has no question: its last message has to be the user's, with a text": (
        "请求中没有问题：最后一条消息必须来自 user，并且有文字"
    ),
    'Add it to messages: {{"role": "user", "content": "…"}}.': (
        '请加入 messages：{{"role": "user", "content": "…"}}。'
    ),
    "System messages stand before all others.": "system 消息须在所有其他消息之前。",
    "Take the picture out, or ask a model for pictures.": "请去掉图片，或向支持图片的模型提问。",
    "max_tokens is {old}, and max_completion_tokens {new}": (
        "max_tokens 为 {old}，而 max_completion_tokens 为 {new}"
    ),
    "Give one of them: they mean the same.": "两者含义相同，请只给出一个。",
    "The answer has no end.": "回答没有结尾。",
    "There is no model named {name} that can run here.": "没有名为 {name} 且能在此运行的模型。",
    "The terminal that runs the launcher says more.": "运行 launcher 的终端中有更多信息。",
    "This endpoint asks for an API key, and the right one was not given": "此接口需要 API 密钥，而给出的密钥不正确",
    "Send the key that the launcher was started with: Authorization: Bearer KEY.": (
        "请发送启动 launcher 时设置的密钥：Authorization: Bearer KEY。"
    ),
    "Without an API key the endpoint answers this machine alone": "没有 API 密钥时，此接口只回答本机",
    "Put a key into a file, and start the launcher with: {command}": "请把密钥写入文件，并这样启动 launcher：{command}",
    "Too many wrong API keys came from this address": "来自此地址的错误 API 密钥过多",
    "GET {address} lists the models; POST /v1/chat/completions asks one.": (
        "GET {address} 列出模型；POST /v1/chat/completions 向模型提问。"
    ),
    "It is at most {most} texts of 1 to {longest} characters each.": (
        "最多 {most} 个文本，每个 1 到 {longest} 个字符。"
    ),
    "The password or key cannot be read from {file}: {reason}": "无法从 {file} 读取密码或密钥：{reason}",
    "The password or key in {where} is empty or has more than one line": "{where} 中的密码或密钥为空或多于一行",
}
