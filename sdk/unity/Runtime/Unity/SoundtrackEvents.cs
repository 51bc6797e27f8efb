// SPDX-License-Identifier: Apache-2.0
using System;
using Segue.V1;
using UnityEngine;
using UnityEngine.Events;
using Event = Segue.V1.Event;

namespace Segue
{
    /// <summary>
    /// The player's events: raised on the main thread, when what they tell of is heard. What a handler throws is logged, and the
    /// others are called all the same.
    /// </summary>
    public sealed partial class SoundtrackPlayer
    {
        [Header("Events")]
        [Tooltip("The state that the music is in now.")]
        [SerializeField] private UnityEvent<string> stateChanged = new UnityEvent<string>();
        [Tooltip("From which state to which.")]
        [SerializeField] private UnityEvent<string, string> transitionStarted = new UnityEvent<string, string>();
        [Tooltip("From which state to which.")]
        [SerializeField] private UnityEvent<string, string> transitionFinished = new UnityEvent<string, string>();
        [Tooltip("The beat of the bar, from 0.")]
        [SerializeField] private UnityEvent<int> beat = new UnityEvent<int>();
        [Tooltip("The bar of the phrase, from 0.")]
        [SerializeField] private UnityEvent<int> bar = new UnityEvent<int>();
        [Tooltip("The stream has run dry.")]
        [SerializeField] private UnityEvent underrun = new UnityEvent();
        [Tooltip("A ConnectionState's name.")]
        [SerializeField] private UnityEvent<string> connectionChanged = new UnityEvent<string>();

        private ConnectionState _raisedState;
        private int _raisedUnderruns;

        /// <summary>The music is in another state.</summary>
        public event Action<StateChanged> OnStateChanged;

        /// <summary>A transition begins to be heard.</summary>
        public event Action<TransitionStarted> OnTransitionStarted;

        /// <summary>A transition has come to its end.</summary>
        public event Action<TransitionFinished> OnTransitionFinished;

        /// <summary>A beat is heard.</summary>
        public event Action<Beat> OnBeat;

        /// <summary>A bar begins.</summary>
        public event Action<Bar> OnBar;

        /// <summary>A stinger begins.</summary>
        public event Action<StingerStarted> OnStingerStarted;

        /// <summary>From here on another version of the music is heard than the one that was buffered.</summary>
        public event Action<Rewound> OnTakeChanged;

        /// <summary>Whatever happens in the music, the above included and before them.</summary>
        public event Action<Event> OnEvent;

        /// <summary>The stream has run dry; how often in all.</summary>
        public event Action<int> OnUnderrun;

        /// <summary>The player stands otherwise with its server.</summary>
        public event Action<ConnectionState> OnConnectionChanged;

        private void Forget()
        {
            _raisedState = ConnectionState.Idle;
            _raisedUnderruns = 0;
            _pausedByApplication = _pausedByGame = false;
            ForgetControls();
        }

        /// <summary>What has happened since the last frame. A handler may stop the player, or begin another session.</summary>
        private void Raise()
        {
            var session = _session;
            while (session != null && session == _session)
            {
                var heard = session.NextEvent();
                if (heard == null) break;
                Raise(heard);
            }
            session = _session;
            int underruns = session == null ? _raisedUnderruns : session.Mixer.Underruns;
            if (underruns != _raisedUnderruns)
            {
                _raisedUnderruns = underruns;
                Tell(OnUnderrun, underruns);
                Tell(underrun);
            }
            session = _session;
            var state = session?.State ?? ConnectionState.Idle;
            if (state == _raisedState) return;
            _raisedState = state;
            if (state == ConnectionState.Failed) Failed(session.Error);
            Tell(OnConnectionChanged, state);
            Tell(connectionChanged, state.ToString());
        }

        private void Raise(Event heard)
        {
            Tell(OnEvent, heard);
            switch (heard.WhichDetail)
            {
                case Event.DetailCase.StateChanged:
                    Tell(OnStateChanged, heard.StateChanged);
                    Tell(stateChanged, heard.StateChanged.ToState);
                    break;
                case Event.DetailCase.TransitionStarted:
                    Tell(OnTransitionStarted, heard.TransitionStarted);
                    Tell(transitionStarted, heard.TransitionStarted.FromState, heard.TransitionStarted.ToState);
                    break;
                case Event.DetailCase.TransitionFinished:
                    Tell(OnTransitionFinished, heard.TransitionFinished);
                    Tell(transitionFinished, heard.TransitionFinished.FromState, heard.TransitionFinished.ToState);
                    break;
                case Event.DetailCase.Beat:
                    Tell(OnBeat, heard.Beat);
                    Tell(beat, heard.Beat.Beat_);
                    break;
                case Event.DetailCase.Bar:
                    Tell(OnBar, heard.Bar);
                    Tell(bar, heard.Bar.Bar_);
                    break;
                case Event.DetailCase.StingerStarted:
                    Tell(OnStingerStarted, heard.StingerStarted);
                    break;
                case Event.DetailCase.Rewound:
                    Tell(OnTakeChanged, heard.Rewound);
                    break;
            }
        }

        private void Tell<T>(Action<T> handlers, T of)
        {
            if (handlers == null) return;
            foreach (Action<T> handler in handlers.GetInvocationList())
            {
                try
                {
                    handler(of);
                }
                catch (Exception error)
                {
                    Debug.LogException(error, this);
                }
            }
        }

        private void Tell(UnityEvent handlers)
        {
            try
            {
                handlers.Invoke();
            }
            catch (Exception error)
            {
                Debug.LogException(error, this);
            }
        }

        private void Tell<T>(UnityEvent<T> handlers, T of)
        {
            try
            {
                handlers.Invoke(of);
            }
            catch (Exception error)
            {
                Debug.LogException(error, this);
            }
        }

        private void Tell(UnityEvent<string, string> handlers, string from, string to)
        {
            try
            {
                handlers.Invoke(from, to);
            }
            catch (Exception error)
            {
                Debug.LogException(error, this);
            }
        }
    }
}
