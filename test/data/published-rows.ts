/** Rows as projects and data sets publish them, by what they are, each with what it asks, what is to be said, and what is right. */

export const user = (content: string) => ({ role: 'user', content });
export const assistant = (content: string) => ({ role: 'assistant', content });
export const system = (content: string) => ({ role: 'system', content });

export const publishedRows: Readonly<Record<string, readonly [row: object, parts: object]>> = {
  'LLaMA-Factory: a preference with an input': [
    { instruction: 'Translate.', input: 'Hut', chosen: 'hat', rejected: 'hut' },
    {
      kind: 'prompt',
      prompt: 'Translate.\n\nHut',
      response: 'hat',
      rejected: { kind: 'prompt', prompt: 'Translate.\n\nHut', response: 'hut' },
    },
  ],
  'LLaMA-Factory: turns that came before': [
    {
      instruction: 'And now?',
      input: '',
      output: 'Four.',
      system: 'Count.',
      history: [
        ['One?', 'Two.'],
        ['Two?', 'Three.'],
      ],
    },
    {
      kind: 'chat',
      messages: [
        ...[system('Count.'), user('One?'), assistant('Two.'), user('Two?'), assistant('Three.')],
        ...[user('And now?'), assistant('Four.')],
      ],
    },
  ],
  'LLaMA-Factory: no turns before': [
    { instruction: 'Hi', input: '', output: 'Ho', system: '', history: [] },
    { kind: 'prompt', prompt: 'Hi', response: 'Ho' },
  ],
  'ms-swift: turns that came before': [
    { query: 'And now?', response: 'Three.', history: [['One?', 'Two.']] },
    { kind: 'chat', messages: [user('One?'), assistant('Two.'), user('And now?'), assistant('Three.')] },
  ],
  'turns that came before, as messages': [
    { prompt: 'And now?', completion: 'Three.', history: [user('One?'), assistant('Two.')] },
    { kind: 'chat', messages: [user('One?'), assistant('Two.'), user('And now?'), assistant('Three.')] },
  ],
  'a preference with turns before': [
    { instruction: 'r', input: '', chosen: 'c', rejected: 'd', history: [['p', 'q']] },
    {
      kind: 'chat',
      messages: [user('p'), assistant('q'), user('r'), assistant('c')],
      rejected: { kind: 'chat', messages: [user('p'), assistant('q'), user('r'), assistant('d')] },
    },
  ],
  'a preference beside its messages (UltraFeedback)': [
    {
      prompt: 'p',
      messages: [user('p'), assistant('good')],
      chosen: [user('p'), assistant('good')],
      rejected: [user('p'), assistant('bad')],
      score_chosen: 8,
    },
    {
      kind: 'chat',
      messages: [user('p'), assistant('good')],
      rejected: { kind: 'chat', messages: [user('p'), assistant('bad')] },
    },
  ],
  'a way to an answer, chosen and rejected (UltraInteract)': [
    { trajectory: [{ from: 'user', value: 'p' }], chosen: 'good', rejected: 'bad' },
    { kind: 'prompt', prompt: 'p', response: 'good', rejected: { kind: 'prompt', prompt: 'p', response: 'bad' } },
  ],
  'turns as JSON and which was preferred (Arena)': [
    {
      prompt: '["p", "q"]',
      response_a: '["a", "b"]',
      response_b: '["c", "d"]',
      winner_model_a: 0,
      winner_model_b: 1,
    },
    {
      kind: 'chat',
      messages: [user('p'), assistant('c'), user('q'), assistant('d')],
      rejected: { kind: 'chat', messages: [user('p'), assistant('c'), user('q'), assistant('b')] },
    },
  ],
  'a conversation that was not liked (KTO)': [
    { messages: [user('p'), assistant('bad')], label: false },
    { kind: 'chat', messages: [user('p')] },
  ],
  'answers that are only read (OpenAI, axolotl, ms-swift)': [
    {
      messages: [
        { ...assistant('a'), weight: 0 },
        { ...assistant('b'), training: false },
        { ...assistant('c'), loss: false },
        { ...user('d'), weight: 0 },
        { ...assistant('e'), weight: 1 },
      ],
    },
    {
      kind: 'chat',
      messages: [
        ...['a', 'b', 'c'].map((content) => ({ ...assistant(content), learned: false })),
        user('d'),
        assistant('e'),
      ],
    },
  ],
  'a tree of replies (OpenAssistant)': [
    {
      message_tree_id: 'm',
      prompt: {
        text: 'p',
        role: 'prompter',
        replies: [
          { text: 'bad', role: 'assistant', rank: 2, replies: [] },
          {
            text: 'good',
            role: 'assistant',
            rank: 0,
            replies: [
              {
                text: 'q',
                role: 'prompter',
                replies: [
                  { text: 'worse', role: 'assistant', rank: 1, replies: [] },
                  { text: 'better', role: 'assistant', rank: 0, replies: [] },
                  { text: 'gone', role: 'assistant', rank: 2, deleted: true, replies: [] },
                ],
              },
            ],
          },
        ],
      },
    },
    {
      kind: 'chat',
      messages: [user('p'), assistant('good'), user('q'), assistant('better')],
      rejected: { kind: 'chat', messages: [user('p'), assistant('good'), user('q'), assistant('worse')] },
    },
  ],
  'a commit (CommitPack)': [
    {
      commit: 'c',
      old_file: 'a.js',
      old_contents: 'let a',
      new_contents: 'const a',
      subject: 'Use const',
      lang: 'x',
    },
    { kind: 'prompt', prompt: 'let a\n\nUse const', response: 'const a' },
  ],
  'a question, tools and calls (xLAM)': [
    {
      query: 'Rome?',
      tools: '[{"name": "weather", "parameters": {}}]',
      answers: '[{"name": "weather", "arguments": {"city": "Rome", "days": 1.0}}]',
    },
    {
      kind: 'chat',
      messages: [
        system(
          'You may call functions. Their signatures are within <tools></tools>:\n<tools>\n{"name": "weather", "parameters": {}}\n</tools>\nFor each call write a JSON object with its name and arguments within <tool_call></tool_call>.',
        ),
        user('Rome?'),
        assistant('<tool_call>\n{"name": "weather", "arguments": {"city": "Rome", "days": 1.0}}\n</tool_call>'),
      ],
    },
  ],
  'answers that are true or not (TruthfulQA)': [
    { question: 'q', mc1_targets: { choices: ['right', 'wrong'], labels: [1, 0] } },
    { kind: 'prompt', prompt: 'q', response: 'right', answer: 'right' },
  ],
  'a post and answers with votes (ELI5)': [
    {
      q_id: '1',
      title: 'Why?',
      selftext: 'I ask.',
      answers: { a_id: ['x', 'y'], text: ['So.', 'Thus.'], score: [1, 5] },
    },
    {
      kind: 'prompt',
      prompt: 'Why?\n\nI ask.',
      response: 'Thus.',
      rejected: { kind: 'prompt', prompt: 'Why?\n\nI ask.', response: 'So.' },
    },
  ],
  'a question of yes or no (BoolQ)': [
    { question: 'is snow cold', answer: true, passage: 'Snow is ice.' },
    {
      kind: 'prompt',
      prompt: 'is snow cold\n\nSnow is ice.',
      response: 'yes',
      answer: ['yes', 'Yes', 'true', 'True'],
    },
  ],
  'a question of true or false': [
    { question: 'True or false: snow is hot', answer: false },
    {
      kind: 'prompt',
      prompt: 'True or false: snow is hot',
      response: 'false',
      answer: ['false', 'False', 'no', 'No'],
    },
  ],
  'a prompt and its text (Cosmopedia)': [
    { prompt: 'Write.', text: 'Rain falls.', format: 'story' },
    { kind: 'prompt', prompt: 'Write.', response: 'Rain falls.' },
  ],
  'choices in columns that are numbered from one (Social IQa)': [
    { context: 'Al fell.', question: 'How is he?', answerA: 'hurt', answerB: 'rich', answerC: 'green', label: '1' },
    { kind: 'prompt', prompt: 'Al fell.\n\nHow is he?\n\nA. hurt\nB. rich\nC. green', response: 'A', answer: 'A' },
  ],
  'choices that the question has already (AGIEval)': [
    { query: 'Q: 2+2? (A)3 (B)4\nA:', choices: ['(A)3', '(B)4'], gold: [1] },
    { kind: 'prompt', prompt: 'Q: 2+2? (A)3 (B)4\nA:', response: 'B', answer: 'B' },
  ],
  'a passage in pieces, and a verdict (PubMedQA)': [
    {
      question: 'Does it?',
      context: { contexts: ['We tried.', 'It did.'] },
      long_answer: 'So.',
      final_decision: 'yes',
    },
    { kind: 'prompt', prompt: 'Does it?\n\nWe tried.\nIt did.', response: 'yes', answer: 'yes' },
  ],
  'several right spans (DROP)': [
    { passage: 'They won.', question: 'How many?', answers_spans: { spans: ['7', 'seven'], types: ['n', 's'] } },
    { kind: 'prompt', prompt: 'How many?\n\nThey won.', response: '7', answer: ['7', 'seven'] },
  ],
  'a question inside of a column (PRM800K)': [
    { question: { problem: '2+2?', ground_truth_answer: '4', ground_truth_solution: 'It is 4.' }, label: {} },
    { kind: 'prompt', prompt: '2+2?', response: 'It is 4.', answer: '4' },
  ],
  'a whole prompt beside its question (SimpleRL)': [
    { input: '<|im_start|>user\nWhat is two and two?<|im_end|>', question: 'What is two and two?', answer: '4' },
    { kind: 'prompt', prompt: 'What is two and two?', response: '4', answer: '4' },
  ],
  'an input with the question in it': [
    { instruction: 'Translate into French:', input: 'Translate into French: dog', output: 'chien' },
    { kind: 'prompt', prompt: 'Translate into French: dog', response: 'chien' },
  ],
  'messages beside a solution (NuminaMath)': [
    { problem: 'p', solution: '$\\boxed{4}$', messages: [user('p'), assistant('$\\boxed{4}$')] },
    { kind: 'chat', messages: [user('p'), assistant('$\\boxed{4}$')], answer: '$\\boxed{4}$' },
  ],
  'contents with parts (Gemini)': [
    {
      systemInstruction: { role: 'system', parts: [{ text: 's' }] },
      contents: [
        { role: 'user', parts: [{ text: 'h' }] },
        { role: 'model', parts: [{ text: 'g' }] },
      ],
    },
    { kind: 'chat', messages: [system('s'), user('h'), assistant('g')] },
  ],
  'axolotl: segments': [
    {
      segments: [
        { label: false, text: '<s>Hi\n' },
        { label: true, text: 'Ho</s>' },
      ],
    },
    {
      kind: 'text',
      text: '<s>Hi\nHo</s>',
      parts: [
        { text: '<s>Hi\n', learned: false },
        { text: 'Ho</s>', learned: true },
      ],
    },
  ],
  'axolotl: messages with the two answers beside them': [
    {
      messages: [user('Hi'), assistant('Yes?'), user('Go on.')],
      chosen: assistant('Well.'),
      rejected: assistant('No.'),
    },
    {
      kind: 'chat',
      messages: [user('Hi'), assistant('Yes?'), user('Go on.'), assistant('Well.')],
      rejected: { kind: 'chat', messages: [user('Hi'), assistant('Yes?'), user('Go on.'), assistant('No.')] },
    },
  ],
  'LLaMA-Factory: ShareGPT with the two answers beside it': [
    {
      conversations: [{ from: 'human', value: 'Hi' }],
      chosen: { from: 'gpt', value: 'Hello' },
      rejected: { from: 'gpt', value: 'Go' },
    },
    {
      kind: 'prompt',
      prompt: 'Hi',
      response: 'Hello',
      rejected: { kind: 'prompt', prompt: 'Hi', response: 'Go' },
    },
  ],
  'axolotl: a question about an article': [
    { article: 'It rained.', question: 'What did it do?', answer: 'rain' },
    { kind: 'prompt', prompt: 'What did it do?\n\nIt rained.', response: 'rain', answer: 'rain' },
  ],
  'a preference of inputs': [
    { input: 'Hi', chosen: 'Hello', rejected: 'Go' },
    {
      kind: 'prompt',
      prompt: 'Hi',
      response: 'Hello',
      rejected: { kind: 'prompt', prompt: 'Hi', response: 'Go' },
    },
  ],
  'TRL: prompt and completion': [
    { prompt: 'The sky', completion: ' is blue.' },
    { kind: 'prompt', prompt: 'The sky', response: ' is blue.' },
  ],
  'TRL: prompt and completion of messages': [
    { prompt: [user('What colour?')], completion: [assistant('Blue.')] },
    { kind: 'prompt', prompt: 'What colour?', response: 'Blue.' },
  ],
  'TRL: an answer that was liked (KTO)': [
    { prompt: 'The sky', completion: ' is blue.', label: true },
    { kind: 'prompt', prompt: 'The sky', response: ' is blue.' },
  ],
  'TRL: an answer that was not liked (KTO), which is not learned': [
    { prompt: 'The sky', completion: ' is green.', label: false },
    { kind: 'prompt', prompt: 'The sky' },
  ],
  'LLaMA-Factory: an answer that was not liked (KTO), which is not learned': [
    { instruction: 'Hi', input: '', output: 'Go', kto_tag: false },
    { kind: 'prompt', prompt: 'Hi' },
  ],
  'TRL: prompt of several messages': [
    { prompt: [system('Be brief.'), user('Colour?')], answer: 'blue' },
    { kind: 'chat', messages: [system('Be brief.'), user('Colour?')], answer: 'blue' },
  ],
  'TRL: prompt of one message': [
    { prompt: [user('Say 3')], answer: '3' },
    { kind: 'prompt', prompt: 'Say 3', answer: '3' },
  ],
  'prompt as a list of texts': [{ prompt: ['One.', 'Two.'] }, { kind: 'prompt', prompt: 'One.\nTwo.' }],
  GSM8K: [
    { question: 'How many?', answer: '3 + 4 = <<3+4=7>>7\n#### 7' },
    { kind: 'prompt', prompt: 'How many?', response: '3 + 4 = <<3+4=7>>7\n#### 7', answer: '7' },
  ],
  'GSM8K with thousands': [
    { question: 'q', answer: 'so\n#### 1,200 ' },
    { kind: 'prompt', prompt: 'q', response: 'so\n#### 1,200 ', answer: '1,200' },
  ],
  MATH: [
    { problem: 'Find x.', level: 'Level 1', type: 'Algebra', solution: 'It is $\\boxed{2}$.' },
    { kind: 'prompt', prompt: 'Find x.', response: 'It is $\\boxed{2}$.', answer: 'It is $\\boxed{2}$.' },
  ],
  'MATH-500': [
    { problem: 'Find x.', solution: 'So $\\boxed{\\frac12}$.', answer: '\\frac12', unique_id: 'a' },
    { kind: 'prompt', prompt: 'Find x.', response: 'So $\\boxed{\\frac12}$.', answer: '\\frac12' },
  ],
  'OpenAI messages': [
    { messages: [system('s'), user('u'), assistant('a')] },
    { kind: 'chat', messages: [system('s'), user('u'), assistant('a')] },
  ],
  'messages with parts': [
    {
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
        { role: 'assistant', content: 'c' },
      ],
    },
    { kind: 'chat', messages: [user('ab'), assistant('c')] },
  ],
  'messages with calls of tools': [
    {
      messages: [
        user('Weather in Bonn?'),
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: '1', type: 'function', function: { name: 'weather', arguments: '{"city": "Bonn"}' } }],
        },
        { role: 'tool', tool_call_id: '1', name: 'weather', content: '12 C' },
        assistant('12 degrees.'),
      ],
    },
    {
      kind: 'chat',
      messages: [
        user('Weather in Bonn?'),
        assistant('<tool_call>\n{"name": "weather", "arguments": {"city": "Bonn"}}\n</tool_call>'),
        { role: 'tool', content: '12 C' },
        assistant('12 degrees.'),
      ],
    },
  ],
  ShareGPT: [
    {
      conversations: [
        { from: 'system', value: 's' },
        { from: 'human', value: 'h' },
        { from: 'gpt', value: 'g' },
      ],
    },
    { kind: 'chat', messages: [system('s'), user('h'), assistant('g')] },
  ],
  'messages with a list of tools beside them (OpenAI)': [
    {
      messages: [user('Rome?'), assistant('20')],
      tools: [{ type: 'function', function: { name: 'weather', parameters: {} } }],
    },
    {
      kind: 'chat',
      messages: [
        system(
          'You may call functions. Their signatures are within <tools></tools>:\n<tools>\n{"type": "function", "function": {"name": "weather", "parameters": {}}}\n</tools>\nFor each call write a JSON object with its name and arguments within <tool_call></tool_call>.',
        ),
        user('Rome?'),
        assistant('20'),
      ],
    },
  ],
  'messages that name their tools, with a list beside them (Hermes)': [
    {
      conversations: [
        { from: 'system', value: 'Call weather.' },
        { from: 'human', value: 'Rome?' },
        { from: 'gpt', value: '20' },
      ],
      tools: '[{"name": "weather"}]',
    },
    { kind: 'chat', messages: [system('Call weather.'), user('Rome?'), assistant('20')] },
  ],
  'ShareGPT with tools': [
    {
      conversations: [
        { from: 'human', value: 'h' },
        { from: 'function_call', value: '{"name": "f"}' },
        { from: 'observation', value: 'o' },
        { from: 'gpt', value: 'g' },
      ],
    },
    {
      kind: 'chat',
      messages: [
        user('h'),
        assistant('<tool_call>\n{"name": "f"}\n</tool_call>'),
        { role: 'tool', content: 'o' },
        assistant('g'),
      ],
    },
  ],
  Alpaca: [
    { instruction: 'Translate.', input: 'Hund', output: 'dog', text: 'Below is …' },
    { kind: 'prompt', prompt: 'Translate.\n\nHund', response: 'dog' },
  ],
  'Alpaca without an input': [
    { instruction: 'Say hi.', input: '', output: 'hi' },
    { kind: 'prompt', prompt: 'Say hi.', response: 'hi' },
  ],
  Dolly: [
    { instruction: 'Who?', context: 'It was Ada.', response: 'Ada', category: 'qa' },
    { kind: 'prompt', prompt: 'Who?\n\nIt was Ada.', response: 'Ada' },
  ],
  'preferences with a prompt': [
    { prompt: 'p', chosen: 'good', rejected: 'bad' },
    { kind: 'prompt', prompt: 'p', response: 'good', rejected: { kind: 'prompt', prompt: 'p', response: 'bad' } },
  ],
  'preferences with a question': [
    { question: 'q', chosen: 'good', rejected: 'bad', system: 's' },
    {
      kind: 'chat',
      messages: [system('s'), user('q'), assistant('good')],
      rejected: { kind: 'chat', messages: [system('s'), user('q'), assistant('bad')] },
    },
  ],
  'a rejected answer that is none': [
    { prompt: 'p', chosen: 'good', rejected: 7, answer: 'good' },
    { kind: 'prompt', prompt: 'p', response: 'good', answer: 'good' },
  ],
  'preferences with a prompt and whole conversations (UltraFeedback)': [
    { prompt: 'p', chosen: [user('p'), assistant('good')], rejected: [user('p'), assistant('bad')] },
    {
      kind: 'chat',
      messages: [user('p'), assistant('good')],
      rejected: { kind: 'chat', messages: [user('p'), assistant('bad')] },
    },
  ],
  'preferences with a prompt of messages': [
    { prompt: [user('p')], chosen: [assistant('good')], rejected: [assistant('bad')] },
    { kind: 'prompt', prompt: 'p', response: 'good', rejected: { kind: 'prompt', prompt: 'p', response: 'bad' } },
  ],
  'preferences of conversations': [
    { chosen: [user('p'), assistant('good')], rejected: [user('p'), assistant('bad')] },
    {
      kind: 'chat',
      messages: [user('p'), assistant('good')],
      rejected: { kind: 'chat', messages: [user('p'), assistant('bad')] },
    },
  ],
  'preferences of transcripts (HH)': [
    {
      chosen: '\n\nHuman: Hi?\n\nAssistant: Hello.\n\nHuman: Bye?\n\nAssistant: Bye.',
      rejected: '\n\nHuman: Hi?\n\nAssistant: Hello.\n\nHuman: Bye?\n\nAssistant: No.',
    },
    {
      kind: 'chat',
      messages: [user('Hi?'), assistant('Hello.'), user('Bye?'), assistant('Bye.')],
      rejected: { kind: 'chat', messages: [user('Hi?'), assistant('Hello.'), user('Bye?'), assistant('No.')] },
    },
  ],
  'preferences of texts (TRL, implicit prompt)': [
    { chosen: 'The sky is blue.', rejected: 'The sky is green.' },
    {
      kind: 'prompt',
      prompt: 'The sky is',
      response: ' blue.',
      rejected: { kind: 'prompt', prompt: 'The sky is', response: ' green.' },
    },
  ],
  verl: [
    {
      data_source: 'openai/gsm8k',
      prompt: [user('What is 1+1?')],
      reward_model: { style: 'rule', ground_truth: '2' },
      extra_info: { index: 0, answer: 'One and one is 2.' },
    },
    { kind: 'prompt', prompt: 'What is 1+1?', response: 'One and one is 2.', answer: '2' },
  ],
  'verl with the answer in extra_info alone': [
    { prompt: [user('q')], extra_info: { answer: '5' } },
    { kind: 'prompt', prompt: 'q', response: '5', answer: '5' },
  ],
  OpenOrca: [
    { system_prompt: 's', question: 'q', response: 'r' },
    { kind: 'chat', messages: [system('s'), user('q'), assistant('r')] },
  ],
  SQuAD: [
    { question: 'Where?', context: 'c', answers: { text: ['Bonn', 'in Bonn'], answer_start: [1, 2] } },
    { kind: 'prompt', prompt: 'Where?\n\nc', response: 'Bonn', answer: ['Bonn', 'in Bonn'] },
  ],
  MBPP: [
    { task_id: 1, text: 'Write f.', code: 'def f(): pass', test_list: ['assert f'] },
    { kind: 'prompt', prompt: 'Write f.', response: 'def f(): pass' },
  ],
  HumanEval: [
    { prompt: 'def f():', canonical_solution: ' return 1', test: 't' },
    { kind: 'prompt', prompt: 'def f():', response: ' return 1' },
  ],
  FLAN: [
    { inputs: 'i', targets: 't' },
    { kind: 'prompt', prompt: 'i', response: 't' },
  ],
  'a preference with a system beside its question': [
    { system: 's', question: 'q', chosen: 'c', rejected: 'r' },
    {
      kind: 'chat',
      messages: [system('s'), user('q'), assistant('c')],
      rejected: { kind: 'chat', messages: [system('s'), user('q'), assistant('r')] },
    },
  ],
  'a preference beside its problem': [
    { problem: 'p', chosen: 'c', rejected: 'r' },
    { kind: 'prompt', prompt: 'p', response: 'c', rejected: { kind: 'prompt', prompt: 'p', response: 'r' } },
  ],
  'turns of input and output': [
    { conversation: [{ input: 'a', output: 'b' }] },
    { kind: 'chat', messages: [user('a'), assistant('b')] },
  ],
  'ShareGPT under its first name': [
    {
      id: 'x',
      items: [
        { from: 'human', value: 'h' },
        { from: 'gpt', value: 'g' },
      ],
    },
    { kind: 'chat', messages: [user('h'), assistant('g')] },
  ],
  'turns as a list of texts': [
    { id: '0', data: ['a', 'b', 'c', 'd'] },
    { kind: 'chat', messages: [user('a'), assistant('b'), user('c'), assistant('d')] },
  ],
  'a text beside a list of texts': [
    { text: 't', data: ['a', 'b'] },
    { kind: 'text', text: 't' },
  ],
  'a question about paragraphs that are no text': [
    { question: 'q', context: { title: ['t'], sentences: [['s']] }, answer: 'a' },
    { kind: 'prompt', prompt: 'q', response: 'a', answer: 'a' },
  ],
  'a question with right answers under another name': [
    { question: 'q', golden_answers: ['a', 'b'] },
    { kind: 'prompt', prompt: 'q', response: 'a', answer: ['a', 'b'] },
  ],
  'a right answer with other names of it': [
    { question: 'q', answer: { value: 'v', aliases: ['w'] } },
    { kind: 'prompt', prompt: 'q', response: 'v', answer: 'v' },
  ],
  'verl in a table, with objects as JSON': [
    {
      data_source: 'x',
      prompt: JSON.stringify([user('q')]),
      reward_model: '{"style": "rule", "ground_truth": "4"}',
      extra_info: '{"index": 3',
    },
    { kind: 'prompt', prompt: 'q', answer: '4' },
  ],
  'verl with several targets': [
    { prompt: [user('q')], reward_model: { ground_truth: { target: ['a', 'b'] } } },
    { kind: 'prompt', prompt: 'q', answer: ['a', 'b'] },
  ],
  'an article and its summary': [
    { article: 'a', highlights: 'h', id: '1' },
    { kind: 'prompt', prompt: 'a', response: 'h' },
  ],
  'one letter each': [
    { Q: 'q', A: 'a' },
    { kind: 'prompt', prompt: 'q', response: 'a', answer: 'a' },
  ],
  'columns with capitals': [
    { Question: 'q', Answer: 'a' },
    { kind: 'prompt', prompt: 'q', response: 'a', answer: 'a' },
  ],
  'a transcript with functions (Glaive)': [
    {
      system: 'SYSTEM: You can call next.',
      chat: 'USER: After 3?\n\n\nASSISTANT: <functioncall> {"name": "next", "arguments": \'{"of": 3}\'} <|endoftext|>\n\n\nFUNCTION RESPONSE: {"n": 4}\n\n\nASSISTANT: It is 4. <|endoftext|>\n\n\n',
    },
    {
      kind: 'chat',
      messages: [
        system('You can call next.'),
        user('After 3?'),
        assistant('<tool_call>\n{"name": "next", "arguments": {"of": 3}}\n</tool_call>'),
        { role: 'tool', content: '{"n": 4}' },
        assistant('It is 4.'),
      ],
    },
  ],
  'a transcript with marks in brackets (Baize)': [
    { topic: 't', input: 'Two talk.\n[|Human|] hello\n[|AI|] hi\n[|Human|] ' },
    { kind: 'chat', messages: [system('Two talk.'), user('hello'), assistant('hi')] },
  ],
  'numbers and a target without words (TinyZero)': [
    { target: 24, nums: [3, 9, 12] },
    {
      kind: 'prompt',
      prompt:
        'Reach 24 with the numbers 3, 9 and 12. Use each of them once, with + - * / and parentheses. Put your thoughts between <think> and </think>, and after them the expression alone between <answer> and </answer>.\n',
    },
  ],
  'summaries that were compared (OpenAI)': [
    { info: { id: '1', post: 'a long day' }, summaries: [{ text: 'short' }, { text: 'day' }], choice: 1 },
    {
      kind: 'prompt',
      prompt: 'a long day',
      response: 'day',
      rejected: { kind: 'prompt', prompt: 'a long day', response: 'short' },
    },
  ],
  'a summary with marks (OpenAI)': [
    { info: { post: 'a long day' }, summary: { text: 'day', axes: { overall: 5 } } },
    { kind: 'prompt', prompt: 'a long day', response: 'day' },
  ],
  'answers with scores beside each other (WebGPT)': [
    { question: { full_text: 'why?' }, answer_0: 'so', answer_1: 'because', score_0: -0.5, score_1: 0.5 },
    {
      kind: 'prompt',
      prompt: 'why?',
      response: 'because',
      rejected: { kind: 'prompt', prompt: 'why?', response: 'so' },
    },
  ],
  'answers of two people (SHP)': [
    { history: 'how?', human_ref_A: 'so', human_ref_B: 'not', labels: 0 },
    { kind: 'prompt', prompt: 'how?', response: 'not', rejected: { kind: 'prompt', prompt: 'how?', response: 'so' } },
  ],
  'two answers and how much better one is (HelpSteer)': [
    { prompt: 'p', response_1: 'a', response_2: 'b', preference_strength: -2 },
    { kind: 'prompt', prompt: 'p', response: 'a', rejected: { kind: 'prompt', prompt: 'p', response: 'b' } },
  ],
  'two answers to a conversation': [
    {
      context: [user('p'), assistant('q'), user('r')],
      response1: 'a',
      response2: 'b',
      overall_preference: 1,
    },
    {
      kind: 'chat',
      messages: [user('p'), assistant('q'), user('r'), assistant('b')],
      rejected: { kind: 'chat', messages: [user('p'), assistant('q'), user('r'), assistant('a')] },
    },
  ],
  'two answers that are equally good': [
    { prompt: 'p', response_1: 'a', response_2: 'b', preference_strength: 0 },
    { kind: 'prompt', prompt: 'p', response: 'a' },
  ],
  'marks of an answer (HelpSteer)': [
    { prompt: 'p', response: 'r', helpfulness: 3, verbosity: 1 },
    { kind: 'prompt', prompt: 'p', response: 'r' },
  ],
  'answers with a rank (Nectar)': [
    {
      prompt: '\n\nHuman: Hi?\n\nAssistant: ',
      answers: [
        { answer: 'low', rank: 3 },
        { answer: 'top', rank: 1 },
      ],
      turns: 1,
    },
    { kind: 'prompt', prompt: 'Hi?', response: 'top', rejected: { kind: 'prompt', prompt: 'Hi?', response: 'low' } },
  ],
  'completions with scores (UltraFeedback)': [
    {
      instruction: 'p',
      completions: [
        { model: 'x', response: 'low', overall_score: 3 },
        { model: 'y', response: 'top', overall_score: 8.5 },
      ],
      correct_answers: ['None'],
    },
    { kind: 'prompt', prompt: 'p', response: 'top', rejected: { kind: 'prompt', prompt: 'p', response: 'low' } },
  ],
  'generations with ratings beside them': [
    { input: 'p', generations: ['a', 'b'], rating: [1, 4] },
    { kind: 'prompt', prompt: 'p', response: 'b', rejected: { kind: 'prompt', prompt: 'p', response: 'a' } },
  ],
  'two conversations and which was preferred (Arena)': [
    {
      winner: 'model_b',
      conversation_a: [user('p'), assistant('bad')],
      conversation_b: [user('p'), assistant('good')],
    },
    {
      kind: 'prompt',
      prompt: 'p',
      response: 'good',
      rejected: { kind: 'prompt', prompt: 'p', response: 'bad' },
    },
  ],
  'preferences as OpenAI takes them': [
    {
      input: { messages: [user('p')] },
      preferred_output: [assistant('good')],
      non_preferred_output: [assistant('bad')],
    },
    { kind: 'prompt', prompt: 'p', response: 'good', rejected: { kind: 'prompt', prompt: 'p', response: 'bad' } },
  ],
  'choices by their letters (MedQA)': [
    { question: 'q', answer: 'beta', options: { A: 'alpha', B: 'beta' }, answer_idx: 'B' },
    { kind: 'prompt', prompt: 'q\n\nA. alpha\nB. beta', response: 'B', answer: 'B' },
  ],
  'choices in columns of their own (C-Eval)': [
    { question: 'q', A: 'w', B: 'x', C: 'y', D: 'z', answer: 'D' },
    { kind: 'prompt', prompt: 'q\n\nA. w\nB. x\nC. y\nD. z', response: 'D', answer: 'D' },
  ],
  'choices that are numbered from one (WinoGrande)': [
    { sentence: 'The cup fit the box, for _ was large.', option1: 'cup', option2: 'box', answer: '2' },
    { kind: 'prompt', prompt: 'The cup fit the box, for _ was large.\n\nA. cup\nB. box', response: 'B', answer: 'B' },
  ],
  'choices that are numbered from nought (PIQA)': [
    { goal: 'open a jar', sol1: 'turn', sol2: 'kick', label: 0 },
    { kind: 'prompt', prompt: 'open a jar\n\nA. turn\nB. kick', response: 'A', answer: 'A' },
  ],
  'choices about an article (RACE)': [
    { article: 'Al won.', question: 'Who?', options: ['Al', 'Bo'], answer: 'A' },
    { kind: 'prompt', prompt: 'Al won.\n\nWho?\n\nA. Al\nB. Bo', response: 'A', answer: 'A' },
  ],
  'a right answer beside wrong ones (SciQ)': [
    { question: 'q', distractor1: 'a', distractor2: 'b', correct_answer: 'c', support: 's' },
    { kind: 'prompt', prompt: 'q', response: 'c', answer: 'c' },
  ],
  'a task and its instances (Self-Instruct)': [
    { instruction: 'Add.', instances: [{ input: '1 2', output: '3' }] },
    { kind: 'prompt', prompt: 'Add.\n\n1 2', response: '3' },
  ],
  'a definition beside what it is applied to (Natural Instructions)': [
    { definition: 'Add.', inputs: '1 2', targets: '3' },
    { kind: 'chat', messages: [system('Add.'), user('1 2'), assistant('3')] },
  ],
  'a right answer as a list in a text (Skywork)': [
    { prompt: [user('2+2?')], reward_model: { ground_truth: '["4"]', style: 'rule' } },
    { kind: 'prompt', prompt: '2+2?', answer: '4' },
  ],
  'an answer that was thought out': [
    { messages: [user('q'), { role: 'assistant', content: 'a', reasoning_content: 'so\n' }] },
    { kind: 'chat', messages: [user('q'), assistant('<think>\nso\n</think>\n\na')] },
  ],
  'turns with speakers': [
    {
      dialog: [
        { speaker: 'user', text: 'hi' },
        { speaker: 'bot', text: 'yo' },
      ],
    },
    { kind: 'chat', messages: [user('hi'), assistant('yo')] },
  ],
  'a question and its query (Spider)': [
    { db_id: 'd', query: 'SELECT 1', question: 'How many?' },
    { kind: 'prompt', prompt: 'How many?', response: 'SELECT 1' },
  ],
  'a chosen answer under another name': [
    { prompt: 'p', answer_chosen: 'good', answer_rejected: 'bad' },
    { kind: 'prompt', prompt: 'p', response: 'good', rejected: { kind: 'prompt', prompt: 'p', response: 'bad' } },
  ],
  'a request of a batch': [
    { custom_id: '1', body: { model: 'm', messages: [user('q')] } },
    { kind: 'chat', messages: [user('q')] },
  ],
  'turns of which the first is asked (Arena-Hard)': [
    { question_id: 'a', category: 'c', turns: [{ content: 'Write.' }] },
    { kind: 'prompt', prompt: 'Write.' },
  ],
  'token ids beside their text (P3)': [
    { inputs: [1, 2], inputs_pretokenized: 'Is it?', targets: [3], targets_pretokenized: 'yes' },
    { kind: 'prompt', prompt: 'Is it?', response: 'yes' },
  ],
  'two messages (CAMEL)': [
    { role_1: 'A', topic: 't', message_1: 'x+1=2?', message_2: 'x=1' },
    { kind: 'chat', messages: [user('x+1=2?'), assistant('x=1')] },
  ],
  'messages in columns (CAMEL)': [
    {
      message_1: { role: 'user', content: 'a' },
      message_2: { role: 'assistant', content: 'b' },
      message_3: { role: 'user', content: 'c' },
      num_messages: 3,
    },
    { kind: 'chat', messages: [user('a'), assistant('b'), user('c')] },
  ],
  'a pair of languages': [
    { id: '7', translation: { en: 'dog', fr: 'chien' } },
    { kind: 'prompt', prompt: 'dog', response: 'chien', answer: 'chien' },
  ],
  'a column for each language': [
    { de: 'Hund', en: 'dog' },
    { kind: 'prompt', prompt: 'Hund', response: 'dog', answer: 'dog' },
  ],
  'source and target': [
    { source: 'dog', target: 'chien' },
    { kind: 'prompt', prompt: 'dog', response: 'chien' },
  ],
  'questions of several turns (MT-bench)': [
    { question_id: 1, category: 'c', turns: ['Say 3.', 'And again.'], reference: ['3', '3 3'] },
    { kind: 'prompt', prompt: 'Say 3.', response: '3', answer: '3' },
  ],
  'questions of several turns without answers': [
    { question_id: 1, turns: ['Say 3.', 'And again.'] },
    { kind: 'prompt', prompt: 'Say 3.' },
  ],
  'a task and its code (LeetCode)': [
    { id: 1, title: 'Two', content: 'Add.', python: 'def f(): pass', javascript: 'const f = 1' },
    { kind: 'prompt', prompt: 'Add.', response: 'const f = 1' },
  ],
  'a prompt and its code beside another pair': [
    { problem_description: 'Add.', prompt: 'def f', completion: '(): pass', query: 'Do.', response: 'x' },
    { kind: 'prompt', prompt: 'def f', response: '(): pass' },
  ],
  'solutions as JSON in a text (APPS)': [
    { problem_id: 1, question: 'Add.', solutions: '["a = 1", "b = 2"]' },
    { kind: 'prompt', prompt: 'Add.', response: 'a = 1' },
  ],
  'a prompt that is to be checked (Tulu)': [
    { messages: [user('2+2?')], ground_truth: '4', dataset: 'd' },
    { kind: 'chat', messages: [user('2+2?')], answer: '4' },
  ],
  'ShareGPT with a system beside it': [
    {
      system: 's',
      conversations: [
        { from: 'human', value: 'h' },
        { from: 'gpt', value: 'g' },
      ],
    },
    { kind: 'chat', messages: [system('s'), user('h'), assistant('g')] },
  ],
  'a question with choices (MMLU)': [
    { question: 'q', choices: ['x', 'y'], answer: 1 },
    { kind: 'prompt', prompt: 'q\n\nA. x\nB. y', response: 'B', answer: 'B' },
  ],
  'a question with choices that have letters (ARC)': [
    { question: 'q', choices: { text: ['x', 'y'], label: ['1', '2'] }, answerKey: '1' },
    { kind: 'prompt', prompt: 'q\n\n1. x\n2. y', response: '1', answer: '1' },
  ],
  'a prompt and its answer as a label (TL;DR)': [
    { prompt: 'p', label: 'a dog' },
    { kind: 'prompt', prompt: 'p', response: 'a dog' },
  ],
  'two who talk': [
    { human: 'a', assistant: 'b' },
    { kind: 'prompt', prompt: 'a', response: 'b' },
  ],
};
