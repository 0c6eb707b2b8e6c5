"""English sentence or error template -> Chinese, with the same placeholders; a test finds what is missing."""

from __future__ import annotations

from launcher.ui.chinese_api import API
from launcher.ui.chinese_devices import DEVICES
from launcher.ui.chinese_documents import DOCUMENTS
from launcher.ui.chinese_errors import ERRORS
from launcher.ui.chinese_fetch import FETCH
from launcher.ui.chinese_guard import GUARD
from launcher.ui.chinese_quantizing import QUANTIZING
from launcher.ui.chinese_reasons import REASONS
from launcher.ui.chinese_remote import REMOTE

ZH = {
    # the page
    "Small vision-language models on this machine. Pictures and questions stay here.": (
        "在本机运行的小型视觉语言模型。图片和问题不会离开这台机器。"
    ),
    "Conversation": "对话",
    "Compare": "对比",
    "Comparing takes two models that are here. Download one more in its tab.": (
        "对比至少需要两个已在本机的模型。请到另一个模型的标签页下载。"
    ),
    "Ask about a picture, or try an example.": "针对一张图片提问，或试试下面的例子。",
    "Ask about a picture.": "针对一张图片提问。",
    "Ask a question.": "提一个问题。",
    "Ask a question, or try an example.": "提一个问题，或试试下面的例子。",
    "Add pictures, a PDF or a short video, type a question, press Enter": (
        "添加图片、PDF 或短视频，输入问题，按回车发送"
    ),
    "Type a question, press Enter": "输入问题，按回车发送",
    "Advanced": "高级设置",
    "System prompt": "系统提示词",
    "Longest answer, in tokens": "回答最长 token 数",
    "Temperature": "温度",
    "0 always takes the likeliest token": "0 表示总取概率最高的 token",
    "Top p": "Top p",
    "Top k": "Top k",
    "0 is no limit": "0 表示不限",
    "Repetition penalty": "重复惩罚",
    "Seed": "随机种子",
    "Unload": "卸载",
    "As the preset has them": "恢复为预设的值",
    "-1 draws a new answer each time": "-1 表示每次结果不同",
    "This model cannot run here yet": "这个模型暂时无法在这里运行",
    "{count} preset files are left out": "有 {count} 个预设文件未载入",
    "One preset file is left out": "有 1 个预设文件未载入",
    "{engine} on {device}": "{engine}，运行于 {device}",
    # the shelf of kept conversations
    "Conversations kept in this browser ({count})": "保存在此浏览器中的对话（{count}）",
    "New conversation": "新对话",
    "Import": "导入",
    "Rename": "重命名",
    "Export:": "导出：",
    "Export as {format}": "导出为 {format}",
    "Delete": "删除",
    "For good?": "确定删除？",
    "Nothing of it is kept on the server. Whoever uses this browser can read it.": (
        "服务器上不保存任何内容；能使用此浏览器的人都能看到这些对话。"
    ),
    "Pictures left out, as this browser has not kept them: {count}.": (
        "有 {count} 张图片没有保存在此浏览器中，已略去。"
    ),
    "An answer is coming in this tab. Stop it first, or wait for its end.": "此标签页正在回答。请先停止，或等回答结束。",
    "{name} is not a conversation that was exported here as JSON.": "{name} 不是从这里导出的 JSON 对话文件。",
    "Change this question and go on from there": "修改这个问题，从这里继续",
    "Ask other models this": "用这个问题问其他模型",
    "No model is chosen. Choose two or more above.": "没有选择模型。请在上面选择两个或更多。",
    "The browser could not keep or show the conversation: {reason}": "浏览器无法保存或显示这段对话：{reason}",
    # the status line
    "Asleep. It wakes with the first question.": "休眠中，提第一个问题时自动唤醒。",
    "Asleep; its process stands by to load it.": "休眠中，进程已就位，随时可以加载。",
    "Asleep, close at hand: it wakes at once.": "浅睡中，马上就能唤醒。",
    "Waiting for its turn to load": "等待轮到它加载",
    "Waiting for the answers of {models}": "等待 {models} 回答完毕",
    "GPU {number}: {held:.1f} of {budget:.1f} GiB": "GPU {number}：已用 {held:.1f} / {budget:.1f} GiB",
    "Memory: {held:.1f} of {budget:.1f} GiB": "内存：已用 {held:.1f} / {budget:.1f} GiB",
    "Loading": "加载中",
    "Loading: {stage}": "加载中：{stage}",
    "{percent} %": "{percent}%",
    "{seconds} s": "{seconds} 秒",
    "Ready.": "就绪。",
    "Stopping.": "正在停止。",
    "Failed.": "失败。",
    "Cannot run here.": "无法在这里运行。",
    "{tokens} tokens in {total_s:.1f} s, the first after {first_s:.2f} s.": (
        "{tokens} 个 token，用时 {total_s:.1f} 秒，首个 token {first_s:.2f} 秒。"
    ),
    "{tokens} token in {total_s:.1f} s.": "{tokens} 个 token，用时 {total_s:.1f} 秒。",
    "{rate} tokens a second.": "每秒 {rate} 个 token。",
    "{tokens} token of pictures.": "图片占 {tokens} 个 token。",
    "{tokens} tokens of pictures.": "图片占 {tokens} 个 token。",
    "The answer reached its limit in tokens, {tokens}: raise it under Advanced.": (
        "回答达到 {tokens} 个 token 的上限，可在“高级设置”中调大。"
    ),
    "The answer was cut off: with the conversation it fills this model's session of {session} tokens. Begin a new conversation or shorten the question.": (
        "回答被截断：对话和回答已占满这个模型的会话（{session} 个 token）。请开始新对话或缩短问题。"
    ),
    # a conversation that is too long
    "Begin a new conversation.": "请开始新对话。",
    "Begin a new conversation or shorten the question.": "请开始新对话或缩短问题。",
    "Begin a new conversation, send fewer or smaller pictures, or shorten the question.": (
        "请开始新对话，减少或缩小图片，或缩短问题。"
    ),
    "Begin a new conversation, clear the system prompt, and ask again.": (
        "请开始新对话，清空系统提示词，然后再问一次。"
    ),
    "Wait for the other answers, or begin a new conversation.": "请等其他回答结束，或开始新对话。",
    # settings
    "{name} cannot be {value}": "{name} 不能是 {value}",
    '"{label}" under Advanced': "“高级设置”中的“{label}”",
    "It is a text.": "应为文本。",
    'It is an object: {{"text": "…", "files": […]}}, its files uploaded before.': (
        '应为对象：{{"text": "…", "files": […]}}，其中的文件须先上传。'
    ),
    "The request cannot be read, or something went wrong on the server.": "请求无法读取，或服务器内部出错。",
    "{address} lists what the endpoint takes, in order; the terminal that runs the page says more.": (
        "{address} 按顺序列出该接口的参数；详细信息见运行本页面的终端。"
    ),
    "It is a whole number from {low} to {high}.": "应为 {low} 到 {high} 的整数。",
    "It is a number from {low} to {high}.": "应为 {low} 到 {high} 的数。",
    "It is a number above {low}, at most {high}.": "应为大于 {low}、不超过 {high} 的数。",
    "It is a whole number from 0 to {high}, or -1, which draws every answer anew.": (
        "应为 0 到 {high} 的整数；-1 表示每次结果不同。"
    ),
    "system_prompt": "系统提示词（system_prompt）",
    "max_new_tokens": "回答最长 token 数（max_new_tokens）",
    "temperature": "温度（temperature）",
    "top_p": "Top p（top_p）",
    "top_k": "Top k（top_k）",
    "repetition_penalty": "重复惩罚（repetition_penalty）",
    "seed": "随机种子（seed）",
    # words that fill a sentence
    "cpu": "CPU",
    "There is no GPU for this model: it runs on the CPU and answers slowly.": (
        "没有可用的 GPU：这个模型在 CPU 上运行，回答较慢。"
    ),
    "libraries": "载入程序库",
    "weights": "读取权重",
    "first answer": "试答",
    "warm-up": "预热",
    # questions
    "There is no question yet.": "还没有输入问题。",
    "Type one and press Enter.": "请输入问题后按回车。",
    "{model} reads text alone; it cannot look at pictures.": "{model} 只处理文字，不能看图片。",
    "Take the picture out, or ask in the tab of a model for pictures.": (
        "请去掉图片，或到支持图片的模型的标签页提问。"
    ),
    # uploads
    "{name} has {size} MB, more than the {limit} MB a picture may have": (
        "{name} 有 {size} MB，超过每张图片 {limit} MB 的上限"
    ),
    "A picture may have at most {limit_mb:g} MB": "每张图片最大 {limit_mb:g} MB",
    "The server has no room left for pictures: the disk of its temporary folder is full": (
        "服务器放不下图片了：临时文件夹所在的磁盘已满"
    ),
    "Your question is still here; send the picture again once there is room.": (
        "您的问题仍然保留；腾出空间后请重新上传图片。"
    ),
    "The server could not store the picture: {reason}": "服务器无法保存图片：{reason}",
    "Your question is still here; send the picture again.": "您的问题仍然保留；请重新上传图片。",
    "Something went wrong on the server.": "服务器内部出错。",
    "The terminal that runs the page says more. The question is still here; ask again.": (
        "详细信息见运行本页面的终端。问题仍然保留，可以再问一次。"
    ),
    **DEVICES,
    **ERRORS,
    **API,
    **DOCUMENTS,
    **FETCH,
    **GUARD,
    **QUANTIZING,
    **REASONS,
    **REMOTE,
}
